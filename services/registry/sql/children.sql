-- A guardian's children, each with the class of their latest year; of those whose data the guardian may not see nothing but
-- that they are there.
select s.student, case when g.data_access then s.family_name end as family_name,
       case when g.data_access then s.given_name end as given_name, g.relationship, g.data_access,
       last.year, last.title, (last.ended and coalesce(last.ended_on <= $3, true)) as ended
from projections.guardianships_v1 g
join projections.students_v1 s using (student)
left join lateral (
    select e.year, c.title, e.ended, e.ended_on
    from projections.enrolments_v1 e join projections.classes_v1 c using (class_id)
    where e.student = g.student and g.data_access order by e.year desc limit 1
) last on true
where g.guardian = $2 and g.school = $1
