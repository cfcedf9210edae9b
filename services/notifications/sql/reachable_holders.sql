-- Which of these holders can be reached on the channel that they are to be reached on.
select guardian as holder, 'email' as channel
from projections.addresses_v1 where guardian = any ($1::text[])
union
select student, 'institutional_mailbox'
from projections.pupils_v1
where student = any ($1::text[]) and coalesce(institutional_email, '') <> ''
