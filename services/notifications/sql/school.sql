select school, name, customer_id, policy from projections.schools_v1 where school = $1
