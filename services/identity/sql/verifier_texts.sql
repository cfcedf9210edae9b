select password, pin
from private.verifiers
where account = $1
