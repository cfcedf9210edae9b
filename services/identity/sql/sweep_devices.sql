delete from private.known_devices
where seen_at < $1
