-- Those whom the desk may issue to: nothing was issued for want of an account, or what was issued is spent: unused
-- at the end of its life. With $2 only these accounts or holders, and of them also those whose slip nobody ever
-- claimed; without, the whole school, but none whose account was ended. A guardian must have access, on the day $4, to some
-- child's data.
with candidates as (
    select r.account, r.holder, r.role, r.year, true as refused
    from projections.refusals_v1 r
    where r.school = $1 and r.reason = 'no_account'
      and ($2::text[] is null or r.account = any ($2) or r.holder = any ($2))
    union all
    select a.account, a.holder, a.role, null, false
    from projections.accounts_v1 a
    join lateral (
        select c.* from projections.credentials_v1 c
        where c.account = a.account order by c.generation desc limit 1
    ) c on true
    where a.school = $1 and a.role <> 'staff'
      and not exists (select from projections.refusals_v1 r where r.account = a.account)
      and (c.state = 'expired' or (c.expires <= $3 and (c.state in ('issued', 'handed_over') or c.must_change)) or $2 is not null)
      and ($2::text[] is null or a.account = any ($2) or a.holder = any ($2))
)
select account, holder, year, refused
from candidates
where (role <> 'guardian' or exists (
    select from projections.guardianships_v1 g
    where g.guardian = candidates.holder and g.data_access and not exists (
        select from projections.guardianship_limits_v1 l
        where l.guardian = g.guardian and l.student = g.student and l.starts <= $4
    )
))
  and ($2::text[] is not null or not exists (
    select from projections.endings_v1 d where d.account = candidates.account
))
