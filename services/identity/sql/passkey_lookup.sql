select k.passkey, k.account, k.school, k.public_key, k.sign_count, a.role
from private.passkeys k
join projections.accounts_v1 a using (account)
where k.credential_id = $1
