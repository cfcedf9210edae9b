select exists (select from projections.teaching_v1 where teacher = $1 and class_id = $2 and school = $3)
