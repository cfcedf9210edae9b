select t.person, t.kind, t.given_name, t.family_name
from projections.appointed_staff_v1 t
where t.school = $1 and ($2::text is null or t.person = $2)
  and not exists (
      select from projections.accounts_v1 a
      where a.holder = t.person and a.role = 'staff'
        and not exists (select from projections.endings_v1 e where e.account = a.account)
  )
