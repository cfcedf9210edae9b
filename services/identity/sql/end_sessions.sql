delete from private.sessions
where account = $1
