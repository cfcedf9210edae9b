select s.student, s.family_name, s.given_name,
       last.year, last.title, (last.ended and coalesce(last.ended_on <= $3, true)) as ended
from projections.students_v1 s
left join lateral (
    select e.year, c.title, e.ended, e.ended_on
    from projections.enrolments_v1 e join projections.classes_v1 c using (class_id)
    where e.student = s.student order by e.year desc limit 1
) last on true
where s.student = $2 and s.school = $1
