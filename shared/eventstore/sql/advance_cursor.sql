insert into events.cursors as c (source, position) values ($1, $3)
on conflict (source) do update set position = excluded.position where c.position = $2
returning position
