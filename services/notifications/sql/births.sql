select student, born from projections.births_v1 where student = any ($1::text[]) and born is not null
