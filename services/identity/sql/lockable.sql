-- Guessed at $1 times from unknown devices, and nobody was told yet.
select f.account, f.school, f.failures
from private.sign_in_failures f
where f.device = '' and f.account is not null and f.failures >= $1
  and not exists (select from projections.locked_accounts_v1 l where l.account = f.account)
order by f.account
limit 500
