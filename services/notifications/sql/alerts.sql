-- All open alerts of a school, and the last that were settled.
with shown as (
    (select * from projections.alerts_v1 where school = $1 and settled_at is null)
    union all
    (select * from projections.alerts_v1 where school = $1 and settled_at is not null order by settled_at desc limit $2)
)
select s.alert, s.kind, s.about, s.holder, s.raised_at, s.settled_at, s.note, a.account,
       coalesce(g.family_name, p.family_name) as family_name, coalesce(g.given_name, p.given_name) as given_name,
       staff.family_name as by_family_name, staff.given_name as by_given_name
from shown s
left join projections.accounts_v1 a on a.credential = s.about
left join projections.guardians_v1 g on g.guardian = s.holder
left join projections.pupils_v1 p on p.student = s.holder
left join projections.staff_v1 staff on staff.account = s.settled_by
order by s.settled_at desc nulls first, s.raised_at, s.alert
