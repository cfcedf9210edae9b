-- Notices that are to be tried now, oldest first; an attempt without an outcome is one that a crash cut short.
select notice
from projections.notices_v1
where status in ('requested', 'attempting', 'deferred') and (retry_at is null or retry_at <= $1)
  and not notice = any ($2::text[])
order by requested_at, notice
limit $3
