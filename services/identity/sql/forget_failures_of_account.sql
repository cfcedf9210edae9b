delete from private.sign_in_failures
where account = $1
