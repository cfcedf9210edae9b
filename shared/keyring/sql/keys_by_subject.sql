select k.key_id::text, k.person, k.purpose, k.wrapped
from json_to_recordset($1) as wanted (person text, purpose text)
join keyring.person_keys k using (person, purpose)
