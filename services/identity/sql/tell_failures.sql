update private.sign_in_failures
set untold = greatest(untold - $3, 0), told_at = $4
where subject = $1 and device = $2
