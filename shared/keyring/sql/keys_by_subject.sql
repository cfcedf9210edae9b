select k.key_id::text, k.person, k.purpose, k.wrapped
from unnest($1::text[], $2::text[]) as wanted (person, purpose)
join keyring.person_keys k using (person, purpose)
