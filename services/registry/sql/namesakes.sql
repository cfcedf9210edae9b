-- Pupils of the same name, born on the same day, of whom this system never spoke: the same system would know.
select distinct wanted.name_key, wanted.birth_date, wanted.source, s.student
from (
    select one ->> 0 as name_key, (one ->> 1)::date as birth_date, one ->> 2 as source
    from json_array_elements($2::json) as one) as wanted
join projections.students_v1 s
  on s.school = $1 and s.name_key = wanted.name_key and s.birth_date = wanted.birth_date
where not exists (
    select from projections.identifiers_v1 i
    where i.person = s.student and i.kind = 'pupil' and i.source = wanted.source)
