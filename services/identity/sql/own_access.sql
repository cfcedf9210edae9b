select a.account, a.holder, a.role, a.user_code, p.birth_date, p.given_name, p.family_name,
       coalesce(l.language, p.language) as language, l.language as chosen,
       coalesce(n.standing, 'none') as standing
from projections.accounts_v1 a
left join projections.people_v1 p on p.person = a.holder
left join projections.languages_v1 l using (account)
left join projections.pins_v1 n using (account)
where a.account = $1
