insert into private.verifiers
    (account, school, kind, password, pepper, must_change, accessed, expires, pin, pin_pepper, changed_at)
values ($1, $2, 'initial', $3, $4, $5, false, $6, $7, $8, now())
on conflict (account) do update set
    kind = excluded.kind,
    password = excluded.password,
    pepper = excluded.pepper,
    must_change = excluded.must_change,
    accessed = excluded.accessed,
    expires = excluded.expires,
    pin = excluded.pin,
    pin_pepper = excluded.pin_pepper,
    pin_failures = 0,
    changed_at = excluded.changed_at
