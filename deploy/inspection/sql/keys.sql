select key_id::text as key, person, purpose from keyring.person_keys where key_id = any ($1::uuid[])
