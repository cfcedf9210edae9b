select delivery, holder, credential, generation, channel, exclusive, expires, status, problem, code, attempts,
       printings, retry_at, requested_at, changed_at
from projections.deliveries_v1
where delivery = $1 and school = $2
