insert into private.verifiers
    (account, school, kind, password, pepper, must_change, accessed, expires, changed_at)
values ($1, $2, 'temporary', $3, $4, true, false, $5, now())
on conflict (account) do update set
    kind = excluded.kind,
    password = excluded.password,
    pepper = excluded.pepper,
    must_change = excluded.must_change,
    accessed = excluded.accessed,
    expires = excluded.expires,
    changed_at = excluded.changed_at
