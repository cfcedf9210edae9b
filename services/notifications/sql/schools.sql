select school from projections.schools_v1
