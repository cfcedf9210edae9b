-- Pupils of the same name, born on the same day, of whom this system never spoke: the same system would know.
select distinct wanted.name_key, wanted.birth_date, wanted.source, s.student
from unnest($2::text[], $3::date[], $4::text[]) as wanted (name_key, birth_date, source)
join projections.students_v1 s
  on s.school = $1 and s.name_key = wanted.name_key and s.birth_date = wanted.birth_date
where not exists (
    select from projections.identifiers_v1 i
    where i.person = s.student and i.kind = 'pupil' and i.source = wanted.source)
