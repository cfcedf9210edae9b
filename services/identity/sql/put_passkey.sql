insert into private.passkeys
    (passkey, account, school, credential_id, public_key, sign_count, name, backed_up, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
