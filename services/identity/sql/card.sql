-- A holder's account as the desk sees it, of this school only; also one that was not opened yet.
with known as (
    select a.account, a.school, a.holder, a.role, a.user_code, true as opened
    from projections.accounts_v1 a where a.account = $1
    union all
    select r.account, r.school, r.holder, r.role, null, false
    from projections.refusals_v1 r where r.account = $1
    union all
    select q.account, q.school, q.holder, q.role, null, false
    from private.issuance_queue q where q.account = $1
)
select k.account, k.school, k.holder, k.role, k.user_code, k.opened,
       p.family_name, p.given_name, p.birth_date,
       s.because as suspended, s.since as suspended_since,
       d.ending, d.because as ended_because, d.into_, d.since as ended_since,
       l.since as locked_since,
       o.reported_by as lost_by, o.reported_at as lost_at,
       r.reason as refused,
       exists (select from private.issuance_queue q where q.account = k.account) as waiting,
       c.generation, c.channel, c.state as credential_state, c.must_change, c.expires,
       v.kind as password, v.accessed, exists (select from private.sealed_slips x where x.account = k.account) as slip
from known k
left join projections.people_v1 p on p.person = k.holder
left join projections.suspensions_v1 s on s.account = k.account
left join projections.endings_v1 d on d.account = k.account
left join projections.locked_accounts_v1 l on l.account = k.account
left join projections.losses_v1 o on o.account = k.account
left join projections.refusals_v1 r on r.account = k.account
left join private.verifiers v on v.account = k.account
left join lateral (
    select c.* from projections.credentials_v1 c
    where c.account = k.account order by c.generation desc limit 1
) c on true
where k.school = $2
order by k.opened desc
limit 1
