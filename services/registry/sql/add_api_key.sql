insert into private.api_keys (id, school, name, key_hash, created_by, scopes) values ($1, $2, $3, $4, $5, $6)
on conflict (school, name) do nothing
returning id
