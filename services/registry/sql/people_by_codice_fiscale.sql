-- The oldest person of each kind with each code: ids are in order of time.
select 'pupil' as kind, codice_fiscale, min(student) as person
from projections.students_v1
where school = $1 and codice_fiscale = any (array(select json_array_elements_text($2::json)))
group by codice_fiscale
union all
select 'guardian', codice_fiscale, min(guardian)
from projections.guardians_v1
where school = $1 and codice_fiscale = any (array(select json_array_elements_text($3::json)))
group by codice_fiscale
