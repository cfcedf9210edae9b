select min(retry_at)
from projections.deliveries_v1
where status in ('requested', 'attempting', 'deferred') and channel in ('email', 'institutional_mailbox')
  and retry_at > $1
