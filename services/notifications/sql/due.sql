-- Mails that are to be tried now, oldest first; an attempt without an outcome is one that a crash cut short, and is
-- due also when its secret has ended: then that is its outcome. None to a guardian who may see no child's data: should
-- that be corrected, the mail is due.
select delivery
from projections.deliveries_v1
where status in ('requested', 'attempting', 'deferred') and channel in ('email', 'institutional_mailbox')
  and (retry_at is null or retry_at <= $1) and not delivery = any ($2::text[])
  and case
      when expires <= $1 then status = 'attempting'
      else coalesce(
          (select bool_or(g.data_access) from projections.guardianships_v1 g where g.guardian = holder), true
      )
  end
order by requested_at, delivery
limit $3
