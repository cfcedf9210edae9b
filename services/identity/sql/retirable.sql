-- A page of the families and pupils of a school who were issued credentials that nothing has ended.
select a.account
from projections.accounts_v1 a
where a.school = $1 and a.role <> 'staff' and a.account > $2
  and exists (select from projections.credentials_v1 c where c.account = a.account)
  and not exists (select from projections.endings_v1 d where d.account = a.account)
order by a.account
limit $3
