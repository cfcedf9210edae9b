select key_id::text, person, purpose, wrapped from keyring.person_keys where key_id = any ($1::uuid[])
