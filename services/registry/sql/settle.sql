update events.quarantine set settled_at = now() where id = $1 and settled_at is null returning id
