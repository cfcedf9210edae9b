select exists (
    select from private.verifiers
    where account = $1 and pin is not null and pin_failures >= $2
)
