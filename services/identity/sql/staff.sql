select a.account, a.school, a.roles, a.user_code, p.given_name, p.family_name
from projections.accounts_v1 a
left join projections.people_v1 p on p.person = a.holder
where a.role = 'staff' and ($1::text is null or a.school = $1)
order by a.school, a.account
