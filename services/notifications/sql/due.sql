-- Mails that are to be tried now, oldest first; an attempt without an outcome is one that a crash cut short.
select delivery
from projections.deliveries_v1
where status in ('requested', 'attempting', 'deferred') and channel in ('email', 'institutional_mailbox')
  and expires > $1 and (retry_at is null or retry_at <= $1) and not delivery = any ($2::text[])
order by requested_at, delivery
limit $3
