select about as circular, status, count(*) as notices
from projections.notices_v1
where kind = 'circular' and about = any ($1::text[])
group by about, status
