-- Of these pupils, those who are gone: their newest enrolment has ended; and their guardians of whom, on the day $2, no
-- child is enrolled any more (one who leaves later still is). An ended guardianship does not count.
with gone as (
    select p.student
    from unnest($1::text[]) p (student)
    where (select e.ended from projections.enrolments_v1 e
           where e.student = p.student order by e.year desc limit 1)
), linked as (
    select g.guardian, g.student
    from projections.guardianships_v1 g
    where not exists (
        select from projections.guardianship_limits_v1 l
        where l.guardian = g.guardian and l.student = g.student and l.ended and l.starts <= $2
    )
)
select student, student as holder, 'pupil' as role
from gone
union all
select l.student, l.guardian, 'guardian'
from linked l
join gone using (student)
where not exists (
    select from linked other
    where other.guardian = l.guardian
      and (exists (select from private.departures d where d.student = other.student and d.leaves > $2)
           or not (select e.ended from projections.enrolments_v1 e
                   where e.student = other.student order by e.year desc limit 1))
)
