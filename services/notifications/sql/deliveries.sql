select delivery, holder, credential, generation, channel, exclusive, expires, status, problem, code, attempts,
       printings, retry_at, requested_at, changed_at
from projections.deliveries_v1
where school = $1 and ($2::text is null or status = $2)
  and ($3::timestamptz is null or (requested_at, delivery) < ($3, $4::text))
order by requested_at desc, delivery desc
limit $5
