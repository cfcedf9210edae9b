select r.*
from projections.regenerations_v1 r
where r.account = $1 and r.school = $2
order by r.asked_at desc
