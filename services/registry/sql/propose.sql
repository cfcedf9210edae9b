insert into private.proposals (school, kind, person, source, external_id, reason)
values ($1, $2, $3, $4, $5, $6)
on conflict (school, kind, person, source, external_id) do nothing
