-- Who a person is: a pupil or a guardian of the school, or the record that a guardian's was merged into.
select 'pupil' as kind, s.student as person, s.family_name, s.given_name, s.birth_date, s.codice_fiscale,
       s.institutional_email as email, null as phone, null as language, m.address as mailbox, m.activated_at
from projections.students_v1 s
left join projections.pupil_mailboxes_v1 m using (student)
where s.student = $2 and s.school = $1
union all
select 'guardian', guardian, family_name, given_name, null, codice_fiscale, email, phone, language, null, null
from projections.guardians_v1 where guardian = $2 and school = $1
union all
select 'merged', guardian, null, null, null, null, null, null, null, null, null
from projections.merged_guardians_v1 where merged = $2 and school = $1
limit 1
