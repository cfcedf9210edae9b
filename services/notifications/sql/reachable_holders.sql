-- Which of these holders can be reached on the channel that they are to be reached on.
select guardian as holder, 'email' as channel
from projections.addresses_v1 where guardian = any ($1::text[])
union
select guardian, 'email' from projections.corrected_addresses_v1 where guardian = any ($1::text[])
union
select student, 'institutional_mailbox' from projections.mailboxes_v1 where student = any ($1::text[])
