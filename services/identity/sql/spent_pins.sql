-- Whose last try went unfinished: nobody came to say that the PIN is disabled.
select v.account, v.school
from private.verifiers v
where v.pin is not null and v.pin_failures >= $1 and v.pin_tried_at < $2
limit 500
