-- Everybody who works at the school as far as is known: appointed here, or with a staff account at identity.
select coalesce(m.person, s.person) as person, m.kind, coalesce(m.family_name, s.family_name) as family_name,
       coalesce(m.given_name, s.given_name) as given_name, m.email, coalesce(m.serves, false) as serves,
       m.person is not null as appointed, s.person is not null as has_account
from (select * from projections.staff_members_v1 where school = $1) m
full join (select * from projections.staff_v1 where school = $1) s using (person)
