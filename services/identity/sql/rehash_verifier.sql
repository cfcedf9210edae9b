update private.verifiers
set password = $2, pepper = $3
where account = $1 and password = $4
