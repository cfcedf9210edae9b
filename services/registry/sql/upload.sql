select id, file, state, done, total, report, received_at, touched_at, expires,
       exists (select from private.upload_pieces p where p.upload = u.id) as at_hand
from private.uploads u
where id = $1 and school = $2 and account = $3 and expires > $4
