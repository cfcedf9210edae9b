-- By class of the year: pupils enrolled today, and how many of them have a mailbox that receives.
select k.class_id, k.title, k.grade, k.section, count(s.student) as pupils, count(m.address) as active
from projections.classes_v1 k
join projections.enrolments_v1 n using (class_id)
join projections.students_v1 s using (student)
left join projections.pupil_mailboxes_v1 m using (student)
where k.school = $1 and k.year = $2 and (not n.ended or n.ended_on > $3)
group by k.class_id, k.title, k.grade, k.section
order by k.grade nulls last, k.section nulls last, k.title
