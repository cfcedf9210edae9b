select class_id, school, year, title
from projections.classes_v1
where class_id = $1 and school = $2
