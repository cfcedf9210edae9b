-- Whoever turns it to running carries it out: once, unless the one before has been silent for long.
update private.uploads
set state = 'running', done = 0, touched_at = $4
where id = $1 and school = $2 and account = $3 and expires > $4
  and (state in ('ready', 'failed') or state = 'running' and touched_at < $5)
returning file, size, sha256
