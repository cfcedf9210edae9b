select family_name, given_name from projections.guardians_v1 where guardian = $2 and school = $1
union all
select family_name, given_name from projections.students_v1 where student = $2 and school = $1
union all
select family_name, given_name from projections.staff_v1 where person = $2 and school = $1
limit 1
