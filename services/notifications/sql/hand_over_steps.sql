select s.delivery, s.position, s.undone, s.class_id, c.title as class_title, s.handed_to, s.by, s.note, s.at,
       staff.family_name, staff.given_name
from projections.hand_over_steps_v1 s
left join projections.classes_v1 c using (class_id)
left join projections.staff_v1 staff on staff.account = s.actor
where s.delivery = any ($1::text[])
order by s.position
