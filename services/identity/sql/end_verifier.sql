delete from private.verifiers
where account = $1
