delete from private.sealed_slips
where credential = $1
