select account
from private.issuance_queue
where account = any ($1::text[])
