insert into private.sealed_slips (credential, account, school, generation, key, sealed, expires)
values ($1, $2, $3, $4, $5, $6, $7)
