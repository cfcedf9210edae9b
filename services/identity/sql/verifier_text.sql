select password
from private.verifiers
where account = $1
