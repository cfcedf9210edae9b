select family_name, given_name from projections.guardians_v1 where guardian = $1
union all
select family_name, given_name from projections.pupils_v1 where student = $1
limit 1
