-- Whom the school has on day $2, by what can reach them; ages are those of day $3.
with pupils as (
    select distinct e.student
    from projections.enrolments_v1 e
    join projections.school_years_v1 y on y.school = e.school and y.year = e.year
    where e.school = $1 and y.ends >= $2 and (not e.ended or e.ended_on > $2)
), of_age as (
    select p.student,
           coalesce(s.birth_date <= $3::date - interval '18 years', false) as adult,
           m.student is not null as mailbox
    from pupils p
    join projections.students_v1 s using (student)
    left join projections.pupil_mailboxes_v1 m using (student)
), guardians as (
    select distinct g.guardian, nullif(d.email, '') as email
    from pupils p
    join projections.guardianships_v1 g using (student)
    join projections.guardians_v1 d using (guardian)
    left join projections.guardianship_ends_v1 x
        on x.guardian = g.guardian and x.student = g.student and x.ended_on <= $2
    where x.guardian is null
)
select (select count(*) from guardians) as guardians,
       (select count(*) from guardians where email is null) as guardians_without_email,
       count(*) filter (where not adult) as pupils_under_age,
       count(*) filter (where not adult and not mailbox) as pupils_under_age_without_mailbox,
       count(*) filter (where adult) as pupils_of_age,
       count(*) filter (where adult and not mailbox) as pupils_of_age_without_mailbox,
       (select count(*) from projections.staff_v1 where school = $1) as staff
from of_age
