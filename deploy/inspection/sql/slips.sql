select credential, account, school, generation, expires
from private.sealed_slips where account = any ($1::text[])
