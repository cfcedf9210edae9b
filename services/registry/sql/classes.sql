select c.class_id, c.title, c.grade, c.section, c.curriculum,
       count(e.student) filter (where not e.ended or e.ended_on > $3) as pupils
from projections.classes_v1 c
left join projections.enrolments_v1 e using (class_id)
where c.school = $1 and c.year = $2
group by c.class_id
order by c.grade nulls last, c.section, c.title
