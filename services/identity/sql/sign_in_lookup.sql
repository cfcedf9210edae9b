-- Always one row: what is not known is null; of a suspended account that is its password.
select a.account, a.school, a.holder, a.role, a.roles,
       v.kind, v.password, v.pepper, v.must_change, v.accessed, v.expires,
       d.device,
       coalesce((select e.stream_version from events.entries e where e.stream = 'account/' || a.account
                 order by e.stream_version desc limit 1), 0) as version
from (select 1) one
left join projections.accounts_v1 a on a.user_code = $1
left join private.verifiers v on v.account = a.account
    and not exists (select from projections.suspensions_v1 s where s.account = a.account)
left join private.known_devices d on d.account = a.account and d.device = $2
