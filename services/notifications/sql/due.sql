-- Mails that are to be tried now, oldest first; an attempt without an outcome is one that a crash cut short. None to
-- a guardian who may see no child's data: should that be corrected, the mail is due.
select delivery
from projections.deliveries_v1
where status in ('requested', 'attempting', 'deferred') and channel in ('email', 'institutional_mailbox')
  and expires > $1 and (retry_at is null or retry_at <= $1) and not delivery = any ($2::text[])
  and coalesce((select bool_or(g.data_access) from projections.guardianships_v1 g where g.guardian = holder), true)
order by requested_at, delivery
limit $3
