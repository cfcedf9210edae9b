update private.uploads
set done = $2, total = $3, touched_at = $4, expires = greatest(expires, $5)
where id = $1 and state = 'running'
