select account, role
from projections.accounts_v1
where account = $1 and school = $2
