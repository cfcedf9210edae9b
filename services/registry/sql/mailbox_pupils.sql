-- Every pupil whom a list of mailboxes may mean: by opaque id, by what a system calls them, by codice fiscale, by name.
with asked as (
    select student from projections.students_v1
    where school = $1 and student = any (array(select json_array_elements_text($2::json)))
    union
    select person from projections.identifiers_v1
    where school = $1 and kind = 'pupil' and external_id = any (array(select json_array_elements_text($3::json)))
    union
    select student from projections.students_v1
    where school = $1 and codice_fiscale = any (array(select json_array_elements_text($4::json)))
    union
    select student from projections.students_v1
    where school = $1 and name_key = any (array(select json_array_elements_text($5::json)))
)
select s.student, s.name_key, s.codice_fiscale, m.address, last.title, last.grade, last.section,
       (last.ended and coalesce(last.ended_on <= $6, true)) as ended,
       (select json_agg(json_build_array(i.source, i.external_id))
        from projections.identifiers_v1 i where i.person = s.student and i.kind = 'pupil')::text as ids
from asked join projections.students_v1 s using (student)
left join projections.pupil_mailboxes_v1 m using (student)
left join lateral (
    select k.title, k.grade, k.section, n.ended, n.ended_on
    from projections.enrolments_v1 n join projections.classes_v1 k using (class_id)
    where n.student = s.student order by n.year desc limit 1
) last on true
where s.school = $1
