-- Pupils whom these holders are or are guardians of, with the class of the newest year of each, if there is one.
with around as (
    select p.student, p.student as holder from projections.pupils_v1 p where p.student = any ($1::text[])
    union
    select g.student, g.guardian from projections.guardianships_v1 g where g.guardian = any ($1::text[])
)
select a.holder, p.student, p.family_name, p.given_name, place.class_id, place.title, place.year
from around a
join projections.pupils_v1 p using (student)
left join lateral (
    select c.class_id, c.title, c.year from projections.places_v1 at
    join projections.classes_v1 c using (class_id)
    where at.student = p.student order by at.year desc limit 1
) place on true
