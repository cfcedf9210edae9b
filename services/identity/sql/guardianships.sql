-- Of these pupils, and all the others of the same guardians and of those named ($2): one who may not see the data of
-- one child may see those of another. `limited`: on the day $3 it was restricted, or ended.
select g.guardian, g.student, g.data_access, l.guardian is not null as limited
from projections.guardianships_v1 g
left join projections.guardianship_limits_v1 l
    on l.guardian = g.guardian and l.student = g.student and l.starts <= $3
where g.guardian = any ($2::text[])
   or g.guardian in (select guardian from projections.guardianships_v1 where student = any ($1::text[]))
