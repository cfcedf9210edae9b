insert into events.idempotency (scope, key, fingerprint, result)
select * from unnest($1::text[], $2::text[], $3::bytea[], $4::jsonb[])
