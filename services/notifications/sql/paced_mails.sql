-- What these schools sent to each mail domain since $2.
select school, domain, count(*) as mails, min(at) as first
from private.paced_mails
where school = any ($1::text[]) and at > $2
group by school, domain
