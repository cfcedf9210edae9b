select s.student, s.family_name, s.given_name, e.kind
from projections.enrolments_v1 e join projections.students_v1 s using (student)
where e.school = $1 and e.class_id = $2 and (not e.ended or e.ended_on > $3)
