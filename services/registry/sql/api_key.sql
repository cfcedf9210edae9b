-- The key, and a note of its use: at most one a minute, for a school's system may ask many times a second.
with used as (
    update private.api_keys set last_used_at = now()
    where key_hash = $1 and revoked_at is null
      and (last_used_at is null or last_used_at < now() - interval '1 minute')
)
select id, school, scopes from private.api_keys where key_hash = $1 and revoked_at is null
