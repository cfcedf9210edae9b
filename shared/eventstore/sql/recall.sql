select name, key, entry, fingerprint, result from events.recall($1, $2)
