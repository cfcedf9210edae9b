select distinct school, role
from private.issuance_queue
order by school, role
