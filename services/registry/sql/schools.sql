select school, name, customer_id, entry_grade, policy from projections.schools_v1 order by school
