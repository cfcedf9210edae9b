-- A page of those who wait, with what their terms depend on. They began to wait for one school year; who left in
-- that one and is here in a later one waits for that. `has_left`: no enrolment of theirs (or of a child of theirs)
-- stands since. `barred`: a guardian who, on the day $7, may see the data of none of these children. `mailbox`: a
-- pupil whose institutional mailbox receives. Unless $5, only those to whom credentials are owed, whatever a campaign
-- says; unless $6, only those with such a mailbox. `held_roles`: as which of the policy's roles a campaign holds them
-- back.
select
    q.account, q.holder, q.role, coalesce(stands.year, q.year) as year, q.actor, q.correlation, q.causation,
    p.birth_date, q.owed, m.student is not null as mailbox, private.held_roles(q.school, q.holder) as held_roles,
    case q.role
        when 'pupil' then stands.year is null and exists (
            select from projections.enrolments_v1 e
            where e.student = q.holder and e.year = q.year and e.ended
        )
        when 'guardian' then q.year is not null and stands.year is null
        else false
    end as has_left,
    q.role = 'guardian' and not exists (
        select from projections.guardianships_v1 g
        where g.guardian = q.holder and g.data_access and not exists (
            select from projections.guardianship_limits_v1 l
            where l.guardian = g.guardian and l.student = g.student and l.starts <= $7
        ) and (q.year is null or exists (
            select from projections.enrolments_v1 e
            where e.student = g.student and e.year >= q.year and not e.ended
        ))
    ) as barred
from private.issuance_queue q
left join projections.people_v1 p on p.person = q.holder
left join projections.mailboxes_v1 m on m.student = q.holder
left join lateral (
    select min(e.year) as year
    from (
        select q.holder as student
        union all
        select g.student from projections.guardianships_v1 g where g.guardian = q.holder
    ) whose
    join projections.enrolments_v1 e using (student)
    where e.year >= q.year and not e.ended
) stands on true
where q.school = $1 and q.role = $2 and q.account > $3
  and ($5 or q.owed) and ($6 or m.student is not null)
order by q.account
limit $4
