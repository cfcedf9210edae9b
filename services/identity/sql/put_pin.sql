update private.verifiers
set pin = $2, pin_pepper = $3, pin_failures = 0
where account = $1
