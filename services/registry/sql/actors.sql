-- What those who acted are called: members of staff by their account, systems by their key.
select a.account as actor, s.family_name, s.given_name, null as system
from projections.staff_accounts_v1 a join projections.staff_v1 s using (person)
where a.school = $1 and a.account = any ($2::text[])
union all
select 'system:' || k.id, null, null, k.name
from private.api_keys k where k.school = $1 and 'system:' || k.id = any ($2::text[])
