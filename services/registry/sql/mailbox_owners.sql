-- Whose these addresses are already: another pupil's mailbox, or what a guardian gave at enrolment.
select 'pupil' as kind, student as person, lower(address) as address
from projections.pupil_mailboxes_v1
where school = $1 and lower(address) = any (array(select json_array_elements_text($2::json)))
union all
select 'guardian', guardian, lower(email)
from projections.guardians_v1
where school = $1 and lower(email) = any (array(select json_array_elements_text($2::json)))
