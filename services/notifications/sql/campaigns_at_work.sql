-- Of all schools: planned, open and paused ones, and those that ended since $1, whose bounces may still come.
select c.campaign, c.school, c.title, c.roles, c.classes, c.opens, c.per_domain_a_minute, c.state, c.planned_at,
       c.opened_at, c.ended_at, c.reason, null as family_name, null as given_name
from projections.campaigns_v1 c
where c.ended_at is null or c.ended_at > $1
order by c.planned_at, c.campaign
