select standing
from projections.pins_v1
where account = $1
