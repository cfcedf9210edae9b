select l.account, l.school
from projections.locked_accounts_v1 l
where not exists (
    select from private.sign_in_failures f
    where f.account = l.account and f.device = '' and f.failures >= $1
)
order by l.account
limit 500
