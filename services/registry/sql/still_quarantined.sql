update events.quarantine set reason = $2 where id = $1
