-- Of these pupils, and all the others of the same guardians and of those named ($2): one who may not see the data of
-- one child may see those of another. `restricted`, `ended`: on the day $3.
select g.guardian, g.student, g.data_access, l.restricted, l.ended
from projections.guardianships_v1 g
cross join lateral (
    select coalesce(bool_or(not limits.ended), false) as restricted, coalesce(bool_or(limits.ended), false) as ended
    from projections.guardianship_limits_v1 limits
    where limits.guardian = g.guardian and limits.student = g.student and limits.starts <= $3
) l
where g.guardian = any ($2::text[])
   or g.guardian in (select guardian from projections.guardianships_v1 where student = any ($1::text[]))
