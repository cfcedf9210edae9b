-- Who by a standing enrolment has, or is refused, access: pupils, and guardians who may see a pupil's data. Of erased
-- people no name is left, and nothing is expected.
select p.person as holder, 'pupil' as role
from projections.people_v1 p
where p.family_name is not null and exists (
    select from projections.enrolments_v1 e where e.student = p.person and not e.ended
)
union all
select p.person, 'guardian'
from projections.people_v1 p
where p.family_name is not null and exists (
    select from projections.guardianships_v1 g
    join projections.enrolments_v1 e using (student)
    where g.guardian = p.person and g.data_access and not e.ended
)
