-- The guardianships that wait for the desk: reported as wrong, or with online justification asked for.
select g.guardian, g.student, g.relationship, g.data_access, g.justifies_online,
       gu.family_name as guardian_family, gu.given_name as guardian_given,
       s.family_name as student_family, s.given_name as student_given, s.birth_date,
       r.restricted_on, r.ground as restriction_ground, e.ended_on, e.ground as end_ground,
       w.reported_at, w.note as report_note, j.state as service, j.since as service_since, c.consents,
       last.year, last.title as class_title, last.class_id,
       (last.ended and coalesce(last.ended_on <= $2, true)) as pupil_ended
from projections.guardianships_v1 g
join projections.guardians_v1 gu using (guardian)
join projections.students_v1 s using (student)
left join projections.guardianship_restrictions_v1 r using (guardian, student)
left join projections.guardianship_ends_v1 e using (guardian, student)
left join projections.wrong_child_reports_v1 w using (guardian, student)
left join projections.justification_services_v1 j using (guardian, student)
left join projections.parental_consents_v1 c using (guardian, student)
left join lateral (
    select n.year, k.title, k.class_id, n.ended, n.ended_on
    from projections.enrolments_v1 n join projections.classes_v1 k using (class_id)
    where n.student = g.student order by n.year desc limit 1
) last on true
where g.school = $1 and e.ended_on is null and (w.reported_at is not null or j.state = 'requested')
order by coalesce(w.reported_at, j.since)
