select credential, account, school
from private.sealed_slips
where expires <= $1
order by expires
limit $2
