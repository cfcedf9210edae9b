select id, school, message_id, reason, arrived_at from events.quarantine
where settled_at is null and ($1::text is null or school = $1) order by id
