-- Who has a staff account at a school ($2: this one only).
select a.account, a.holder, a.roles, a.user_code, p.given_name, p.family_name,
       e.account is not null as closed, s.account is not null as suspended, l.account is not null as locked,
       t.kind as appointed_as, case when v.kind = 'temporary' then v.expires end as temporary_until,
       (select count(*) from private.passkeys k where k.account = a.account) as passkeys,
       (select max(k.seen_at) from private.sessions k where k.account = a.account) as seen_at
from projections.accounts_v1 a
left join projections.people_v1 p on p.person = a.holder
left join projections.endings_v1 e on e.account = a.account
left join projections.suspensions_v1 s on s.account = a.account
left join projections.locked_accounts_v1 l on l.account = a.account
left join projections.appointed_staff_v1 t on t.person = a.holder and t.school = a.school
left join private.verifiers v on v.account = a.account
where a.role = 'staff' and a.school = $1 and ($2::text is null or a.account = $2)
