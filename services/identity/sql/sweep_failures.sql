delete from private.sign_in_failures
where last_at < $1 and untold = 0
