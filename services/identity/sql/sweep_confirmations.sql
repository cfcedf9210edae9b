delete from private.confirmations
where ends_at <= $1
