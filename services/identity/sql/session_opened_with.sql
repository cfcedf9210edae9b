select opened_with
from private.sessions
where session = $1 and account = $2
