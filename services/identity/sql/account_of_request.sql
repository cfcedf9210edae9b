select account
from projections.regenerations_v1
where request = $1 and school = $2
