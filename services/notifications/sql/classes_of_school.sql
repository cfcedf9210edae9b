select class_id, school, year, title
from projections.classes_v1
where school = $1
