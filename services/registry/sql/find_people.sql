-- Pupils and guardians whose name holds every word that was typed, without accents and case.
select 'pupil' as kind, s.student as person, s.family_name, s.given_name, s.codice_fiscale, last.title as class_title, null as children
from projections.students_v1 s
left join lateral (
    select k.title from projections.enrolments_v1 n join projections.classes_v1 k using (class_id)
    where n.student = s.student order by n.year desc limit 1
) last on true
where s.school = $1 and s.name_key like all ($2::text[]) and $3 in ('', 'pupil')
union all
select 'guardian', g.guardian, g.family_name, g.given_name, g.codice_fiscale, null, of.children
from projections.guardians_v1 g
left join lateral (
    select string_agg(s.given_name || ' ' || s.family_name, ', ') as children
    from projections.guardianships_v1 l join projections.students_v1 s using (student)
    where l.guardian = g.guardian
      and not exists (select from projections.guardianship_ends_v1 e where (e.guardian, e.student) = (l.guardian, l.student))
) of on true
where g.school = $1 and g.name_key like all ($2::text[]) and $3 in ('', 'guardian')
order by 3, 4
limit $4
