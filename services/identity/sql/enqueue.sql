insert into private.issuance_queue (account, school, holder, role, year, actor, correlation, causation, owed)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (account) do update set owed = issuance_queue.owed or excluded.owed
