select guardian, student, data_access
from projections.guardianships_v1
where student = any ($1::text[])
