select subject, device, account, school, untold
from private.sign_in_failures f
where account is not null and untold > 0
  and not exists (
      select from private.sign_in_failures other
      where other.account = f.account and other.told_at > $1
  )
order by account
limit 500
