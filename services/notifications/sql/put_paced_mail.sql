insert into private.paced_mails (school, domain, at) values ($1, $2, $3)
