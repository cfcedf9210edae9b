select school, policy
from projections.policies_v1
where school = any ($1::text[])
