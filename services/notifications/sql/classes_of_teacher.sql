-- $3: the school year that runs; last year's classes are nobody's any more, once newer ones are known.
select c.class_id, c.school, c.year, c.title
from projections.teaching_v1 t
join projections.classes_v1 c using (class_id)
where t.teacher = $1 and c.school = $2
  and c.year >= least($3::text, (select max(year) from projections.classes_v1 where school = $2))
