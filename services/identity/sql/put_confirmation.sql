insert into private.confirmations (code_hash, session, account, school, purpose, subject, ends_at)
values ($1, $2, $3, $4, $5, $6, $7)
