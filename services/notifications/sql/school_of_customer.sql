select school, name, customer_id from projections.schools_v1 where customer_id = $1
