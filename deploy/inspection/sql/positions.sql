select count(*) as entries, coalesce(min(position), 1) as first, coalesce(max(position), 0) as last from events.entries
