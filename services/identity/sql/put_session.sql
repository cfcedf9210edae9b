insert into private.sessions
    (token_hash, session, account, school, must_change, remembered, opened_at, seen_at, idle_seconds, ends_at,
     opened_with, device)
values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11)
