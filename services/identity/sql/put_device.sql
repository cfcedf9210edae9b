insert into private.known_devices (account, device, seen_at)
values ($1, $2, $3)
on conflict (account, device) do update set seen_at = excluded.seen_at
