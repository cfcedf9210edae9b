select key, public_key, retires
from projections.sealing_keys_v1
where retires > $1
order by published desc
limit 1
