insert into keyring.person_keys (key_id, person, purpose, wrapped)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[])
on conflict (person, purpose) do nothing
