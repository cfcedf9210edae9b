select account, credential, generation, delivery, status
from projections.deliveries_v1
where account = any ($1::text[])
order by requested_at, delivery
