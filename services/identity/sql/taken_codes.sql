select user_code
from projections.accounts_v1
where user_code = any ($1::text[])
