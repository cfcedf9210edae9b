select c.credential, c.account, c.school, c.generation, s.key, s.sealed
from projections.credentials_v1 c
left join private.sealed_slips s using (credential)
where c.credential = any ($1::text[])
