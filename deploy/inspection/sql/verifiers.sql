select account, school, kind, must_change, accessed, expires, pin is not null as pin,
       password like '$argon2id$%' as hashed
from private.verifiers where account = any ($1::text[])
