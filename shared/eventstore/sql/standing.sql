-- Head and cursors as of one moment.
select h.position as head, coalesce((select jsonb_object_agg(c.source, c.position) from events.cursors c), '{}') as cursors
from events.head h
