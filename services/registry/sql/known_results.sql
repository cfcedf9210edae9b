select i.scope, i.key, i.fingerprint, i.result
from unnest($1::text[], $2::text[]) as asked (scope, key) join events.idempotency i using (scope, key)
