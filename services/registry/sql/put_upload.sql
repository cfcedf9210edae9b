insert into private.uploads
    (id, school, account, file, size, sha256, state, total, report, received_at, touched_at, expires)
values ($1, $2, $3, $4, $5, $6, 'ready', $7, $8, $9, $9, $10)
