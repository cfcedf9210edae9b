-- Of these pupils, and all the others of the same guardians and of those named ($2): one who may not see the data of
-- one child may see those of another.
select guardian, student, data_access
from projections.guardianships_v1
where guardian = any ($2::text[])
   or guardian in (select guardian from projections.guardianships_v1 where student = any ($1::text[]))
