with ended as (
    update private.uploads
    set state = $2, report = coalesce($3, report), touched_at = $4, expires = $5
    where id = $1
)
delete from private.upload_pieces where upload = $1 and $2 = 'done'
