update private.sign_in_failures
set failures = 0, untold = greatest(untold - 1, 0)
where subject = $1 and device = $2
