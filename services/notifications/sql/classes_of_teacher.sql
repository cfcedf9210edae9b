select c.class_id, c.school, c.year, c.title
from projections.teaching_v1 t
join projections.classes_v1 c using (class_id)
where t.teacher = $1 and c.school = $2
