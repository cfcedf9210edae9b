delete from private.sealed_slips
where account = $1
