select a.user_code, p.given_name, p.family_name, s.name as school_name
from projections.accounts_v1 a
left join projections.people_v1 p on p.person = a.holder
left join projections.schools_v1 s on s.school = a.school
where a.account = $1
