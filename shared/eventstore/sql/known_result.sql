select fingerprint, result from events.idempotency where scope = $1 and key = $2
