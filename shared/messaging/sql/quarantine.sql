insert into events.quarantine (school, message_id, reason, payload)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
on conflict (school, message_id) where settled_at is null
do update set reason = excluded.reason, payload = excluded.payload
