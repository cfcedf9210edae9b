select min(retry_at)
from projections.notices_v1
where status in ('requested', 'attempting', 'deferred') and retry_at > $1
