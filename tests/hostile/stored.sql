-- Who is enrolled, with the class and the one guardian, by the ids that the file gave them.
select
    pi.external_id as pupil, s.family_name, s.given_name, s.birth_date, s.codice_fiscale, s.institutional_email,
    e.kind, e.starts, e.ended_on, e.end_reason,
    c.title, c.grade, c.section, c.curriculum, ci.external_id as class,
    gi.external_id as guardian, g.family_name as guardian_family_name, g.given_name as guardian_given_name,
    g.codice_fiscale as guardian_codice_fiscale, g.email, g.phone, g.language
from projections.students_v1 s
join projections.identifiers_v1 pi on pi.person = s.student
left join projections.enrolments_v1 e on e.student = s.student
left join projections.classes_v1 c on c.class_id = e.class_id
left join projections.class_identifiers_v1 ci on ci.class_id = c.class_id
left join projections.guardianships_v1 gs on gs.student = s.student
left join projections.guardians_v1 g on g.guardian = gs.guardian
left join projections.identifiers_v1 gi on gi.person = g.guardian
