-- What commands must know before they decide, in one round trip: the histories of their streams ($1), and what
-- their idempotency keys ($2, $3) were answered.
select stream_version, stream as name, null as key, entry, null as fingerprint, null as result
from events.entries where stream = any ($1::text[])
union all
select 0, i.scope, i.key, null, i.fingerprint, i.result
from unnest($2::text[], $3::text[]) as asked (scope, key) join events.idempotency i using (scope, key)
order by stream_version
