select opened_at
from private.sessions
where session = $1 and account = $2
