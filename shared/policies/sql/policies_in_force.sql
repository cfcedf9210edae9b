-- Of each school's adoptions whose day has come, the last one.
select distinct on (school) school, policy
from projections.policy_versions_v1
where school = any ($1::text[]) and in_force_from <= $2
order by school, position desc
