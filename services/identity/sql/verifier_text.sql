select password
from private.verifiers
where account = $1 and not exists (select from projections.suspensions_v1 s where s.account = $1)
