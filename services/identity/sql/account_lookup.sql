select a.user_code
from projections.accounts_v1 a
where a.account = $1
