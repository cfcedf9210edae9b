select id, file, state, done, total, report, received_at, touched_at, expires, false as at_hand
from private.uploads
where school = $1 and account = $2 and expires > $3 and state <> 'ready'
order by received_at desc
limit 10
