select student, school, correlation, causation
from private.departures
where leaves <= $1
order by leaves, student
limit $2
