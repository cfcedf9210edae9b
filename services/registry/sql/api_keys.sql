select name, scopes, created_at, last_used_at, revoked_at from private.api_keys where school = $1 order by created_at, name
