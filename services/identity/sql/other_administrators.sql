-- Those at this school, but for $2, who can still sign in as its administrators.
select count(*)
from projections.accounts_v1 a
where a.role = 'staff' and a.school = $1 and a.account <> $2
  and 'administrator' = any (string_to_array(a.roles, ','))
  and not exists (select from projections.endings_v1 e where e.account = a.account)
  and not exists (select from projections.suspensions_v1 s where s.account = a.account)
