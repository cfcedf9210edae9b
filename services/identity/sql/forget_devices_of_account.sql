delete from private.known_devices
where account = $1
