select id, name, created_at, revoked_at from private.api_keys where school = $1 order by created_at
