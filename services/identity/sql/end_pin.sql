update private.verifiers
set pin = null, pin_pepper = null
where account = $1
