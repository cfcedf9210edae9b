-- Whose account this is, of this school only; also of one that was not opened yet: somebody waits for it, or was
-- refused it. `enrolled`: a pupil whose newest enrolment stands.
with known as (
    select a.account, a.school, a.holder, a.role from projections.accounts_v1 a where a.account = $1
    union all
    select r.account, r.school, r.holder, r.role from projections.refusals_v1 r where r.account = $1
    union all
    select q.account, q.school, q.holder, q.role from private.issuance_queue q where q.account = $1
)
select k.account, k.holder, k.role, p.birth_date,
       exists (select from projections.mailboxes_v1 m where m.student = k.holder) as mailbox,
       coalesce(not (select e.ended from projections.enrolments_v1 e
                     where e.student = k.holder order by e.year desc limit 1), false) as enrolled,
       (select max(y.year) from projections.school_years_v1 y where y.school = k.school) as year
from known k
left join projections.people_v1 p on p.person = k.holder
where k.school = $2
limit 1
