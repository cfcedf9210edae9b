select holder, status, problem, changed_at
from projections.notices_v1
where kind = 'circular' and about = $1
