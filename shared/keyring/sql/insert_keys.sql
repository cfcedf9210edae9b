insert into keyring.person_keys (key_id, person, purpose, wrapped)
select k.key_id, k.person, k.purpose, decode(k.wrapped, 'hex')
from json_to_recordset($1) as k (key_id uuid, person text, purpose text, wrapped text)
on conflict (person, purpose) do nothing
