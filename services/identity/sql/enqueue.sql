insert into private.issuance_queue (account, school, holder, role, year, actor, correlation, causation)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (account) do nothing
