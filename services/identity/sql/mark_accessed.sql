update private.verifiers
set accessed = true
where account = $1
