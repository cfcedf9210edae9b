select c.class_id, c.year, c.grade, c.section, c.curriculum, i.source, i.external_id
from projections.classes_v1 c
left join projections.class_identifiers_v1 i on i.school = c.school and i.class_id = c.class_id
where c.school = $1 and c.year = any ($2::text[])
order by c.class_id
