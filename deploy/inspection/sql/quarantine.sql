select count(*) as total, count(*) filter (where settled_at is null) as waiting from events.quarantine
