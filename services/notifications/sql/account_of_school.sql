select account, holder, role, user_code, credential, generation, issued_at, activated_at, changed_at, signed_in_at
from projections.accounts_v1 where account = $1 and school = $2
