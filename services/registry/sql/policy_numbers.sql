-- Whom the school has on day $2, by what can reach them and whether they have credentials; ages are those of day $3.
with pupils as (
    select distinct e.student
    from projections.enrolments_v1 e
    join projections.school_years_v1 y on y.school = e.school and y.year = e.year
    where e.school = $1 and y.ends >= $2 and (not e.ended or e.ended_on > $2)
), told as (
    select coalesce(s.birth_date <= $3::date - interval '18 years', false) as adult,
           m.student is not null as mailbox,
           exists (select from projections.credential_holders_v1 h where h.holder = p.student) as has
    from pupils p
    join projections.students_v1 s using (student)
    left join projections.pupil_mailboxes_v1 m using (student)
), guardians as (
    select distinct g.guardian, coalesce(d.email, '') <> '' as address,
           exists (select from projections.credential_holders_v1 h where h.holder = g.guardian) as has
    from pupils p
    join projections.guardianships_v1 g using (student)
    join projections.guardians_v1 d using (guardian)
    left join projections.guardianship_ends_v1 x
        on x.guardian = g.guardian and x.student = g.student and x.ended_on <= $2
    where x.guardian is null
), of_guardians as (
    select count(*) as guardians,
           count(*) filter (where has) as guardians_with_credentials,
           count(*) filter (where not address) as guardians_without_email,
           count(*) filter (where not address and not has) as guardians_out_of_reach
    from guardians
), of_pupils as (
    select count(*) filter (where not adult) as pupils_under_age,
           count(*) filter (where not adult and has) as pupils_under_age_with_credentials,
           count(*) filter (where not adult and not mailbox) as pupils_under_age_without_mailbox,
           count(*) filter (where not adult and not mailbox and not has) as pupils_under_age_out_of_reach,
           count(*) filter (where adult) as pupils_of_age,
           count(*) filter (where adult and has) as pupils_of_age_with_credentials,
           count(*) filter (where adult and not mailbox) as pupils_of_age_without_mailbox,
           count(*) filter (where adult and not mailbox and not has) as pupils_of_age_out_of_reach
    from told
)
select *, (select count(*) from projections.staff_v1 where school = $1) as staff
from of_guardians, of_pupils
