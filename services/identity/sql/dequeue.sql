delete from private.issuance_queue
where account = $1
