select student, guardian from projections.guardianships_v1 where student = any ($1::text[])
