select a.account, a.role, a.roles, a.user_code, p.given_name, p.family_name, p.language,
       v.kind, v.must_change, v.expires, s.remembered
from projections.accounts_v1 a
left join projections.people_v1 p on p.person = a.holder
left join private.verifiers v using (account)
left join private.sessions s on s.session = $2
where a.account = $1
