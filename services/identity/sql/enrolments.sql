select student, year, kind
from projections.enrolments_v1
where student = any ($1::text[]) and not ended
