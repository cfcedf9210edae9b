-- A school's campaigns, or one of them ($2), the newest first.
select c.campaign, c.school, c.title, c.roles, c.classes, c.opens, c.per_domain_a_minute, c.state, c.planned_at,
       c.opened_at, c.ended_at, c.reason, staff.family_name, staff.given_name
from projections.campaigns_v1 c
left join projections.staff_v1 staff on staff.account = c.planned_by
where c.school = $1 and ($2::text is null or c.campaign = $2)
order by c.planned_at desc, c.campaign desc
