delete from private.passkeys
where passkey = $1
