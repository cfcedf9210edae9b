delete from private.paced_mails where at <= $1
