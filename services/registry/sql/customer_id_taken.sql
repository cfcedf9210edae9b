select exists (select from projections.schools_v1 where customer_id = $2 and school <> $1)
