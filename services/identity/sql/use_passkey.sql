-- No row comes back when another use with this count, or a later one, was faster: one of the two is a copy.
update private.passkeys
set sign_count = $2, backed_up = $3, used_at = $4
where passkey = $1 and (sign_count < $2 or (sign_count = 0 and $2 = 0))
returning passkey
