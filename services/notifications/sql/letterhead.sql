select head, foot from projections.letterheads_v1 where school = $1
