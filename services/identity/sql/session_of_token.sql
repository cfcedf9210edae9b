select session, account, school
from private.sessions
where token_hash = $1
