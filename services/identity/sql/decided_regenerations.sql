select r.*, a.role, a.user_code, p.family_name, p.given_name
from projections.regenerations_v1 r
join projections.accounts_v1 a using (account)
left join projections.people_v1 p on p.person = r.holder
where r.school = $1 and r.state <> 'open'
order by r.decided_at desc
limit $2
