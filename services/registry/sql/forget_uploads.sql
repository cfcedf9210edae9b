-- What an account had sent before and not carried out: the file that it sends now takes its place.
delete from private.uploads where school = $1 and account = $2 and state in ('ready', 'failed')
