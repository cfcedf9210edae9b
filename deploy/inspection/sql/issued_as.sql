select credential, account, generation, channel from projections.credentials_v1 where credential = any ($1::text[])
