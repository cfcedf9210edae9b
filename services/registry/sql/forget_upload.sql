delete from private.uploads where id = $1 and school = $2 and account = $3 and state <> 'running'
