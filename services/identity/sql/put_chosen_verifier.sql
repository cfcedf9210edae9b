insert into private.verifiers
    (account, school, kind, password, pepper, must_change, accessed, expires, changed_at)
values ($1, $2, 'chosen', $3, $4, $5, true, null, now())
on conflict (account) do update set
    kind = excluded.kind,
    password = excluded.password,
    pepper = excluded.pepper,
    must_change = excluded.must_change,
    accessed = true,
    expires = null,
    changed_at = excluded.changed_at
