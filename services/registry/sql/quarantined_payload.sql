select school, payload from events.quarantine where id = $1 and settled_at is null
