-- $4: the school year that runs; last year's classes are nobody's any more, once newer ones are known.
select exists (
    select from projections.teaching_v1 t
    join projections.classes_v1 c using (class_id)
    where t.teacher = $1 and t.class_id = $2 and c.school = $3
      and c.year >= least($4::text, (select max(year) from projections.classes_v1 where school = $3))
)
