delete from private.sessions
where session = $1
