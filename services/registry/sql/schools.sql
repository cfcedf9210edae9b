select school, name, customer_id, entry_grade from projections.schools_v1 order by school
