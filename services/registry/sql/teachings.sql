select t.teacher, k.class_id, k.title, k.grade, k.section, k.year
from projections.teachings_v1 t join projections.classes_v1 k using (class_id)
where t.school = $1
order by k.year desc, k.grade nulls last, k.section nulls last, k.title
