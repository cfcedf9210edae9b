select a.account, p.family_name, p.given_name
from projections.accounts_v1 a
join projections.people_v1 p on p.person = a.holder
where a.account = any ($1::text[])
