select s.kind, s.number, s.at, s.outcome, s.ended_at, s.code, s.problem, s.retry_at, s.reason,
       staff.family_name, staff.given_name
from projections.delivery_steps_v1 s
left join projections.staff_v1 staff on staff.account = s.actor
where s.delivery = $1
order by s.at, s.number
