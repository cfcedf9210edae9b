insert into private.departures (student, school, leaves, correlation, causation)
values ($1, $2, $3, $4, $5)
on conflict (student) do update set
    leaves = excluded.leaves,
    correlation = excluded.correlation,
    causation = excluded.causation
