select true
from projections.guardianships_v1
where guardian = $1 and student = $2
