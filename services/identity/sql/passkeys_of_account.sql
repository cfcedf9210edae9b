select passkey, credential_id, name, backed_up, created_at, used_at
from private.passkeys
where account = $1
order by created_at
