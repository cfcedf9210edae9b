insert into private.printed_from (delivery, class_id)
values ($1, $2)
on conflict (delivery) do update set class_id = excluded.class_id
