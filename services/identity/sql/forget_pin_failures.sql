update private.verifiers
set pin_failures = 0
where account = $1 and pin = $2
