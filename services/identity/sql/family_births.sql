-- Of the holder and of those they are guardian of.
select p.birth_date
from projections.accounts_v1 a
join projections.people_v1 p
  on p.person = a.holder
  or p.person in (select g.student from projections.guardianships_v1 g where g.guardian = a.holder)
where a.account = $1 and p.birth_date is not null
