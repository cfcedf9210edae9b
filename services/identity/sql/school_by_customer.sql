select s.school, s.name, s.customer_id, p.policy
from projections.schools_v1 s
left join projections.policies_v1 p using (school)
where s.customer_id = $1
