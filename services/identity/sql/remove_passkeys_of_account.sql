delete from private.passkeys
where account = $1
