-- Unless another day was said meanwhile.
delete from private.departures
where student = $1 and leaves <= $2
