-- Every adoption of a school, the first one first, with the name of whoever adopted it.
select v.position, v.in_force_from, v.policy, v.reason, v.adopted_by, v.adopted_at,
       s.given_name, s.family_name
from projections.policy_versions_v1 v
left join projections.staff_accounts_v1 a on a.account = v.adopted_by
left join projections.staff_v1 s on s.person = a.person
where v.school = $1
order by v.position
