-- Every delivery of an account, the newest first.
select delivery, holder, credential, generation, channel, exclusive, expires, status, problem, code, attempts,
       printings, retry_at, requested_at, changed_at
from projections.deliveries_v1
where account = $1 and school = $2
order by requested_at desc, delivery
