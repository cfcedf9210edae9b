update private.verifiers
set pin = $2, pin_pepper = $3
where account = $1 and pin = $4
