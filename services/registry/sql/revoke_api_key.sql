update private.api_keys set revoked_at = now() where school = $1 and name = $2 and revoked_at is null returning id
