delete from private.uploads where expires <= $1
