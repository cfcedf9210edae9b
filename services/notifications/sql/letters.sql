-- All that a mail or a slip says of its holder, but the secret. Of a guardian's children only those whose data the
-- guardian may see are named.
select d.delivery, d.school, d.account, d.holder, d.credential, d.generation, d.channel, d.exclusive,
       d.expires, d.status, d.attempts, d.printings, d.correlation, d.cause,
       s.name as school_name, s.customer_id,
       a.role, a.user_code, a.must_change, sec.secret,
       coalesce(g.family_name, p.family_name) as family_name,
       coalesce(g.given_name, p.given_name) as given_name,
       g.language,
       case d.channel when 'institutional_mailbox' then p.institutional_email else first_address.email end as address,
       coalesce(children.children, '[]') as children
from projections.deliveries_v1 d
join projections.accounts_v1 a using (account)
left join projections.schools_v1 s on s.school = d.school
left join projections.secrets_v1 sec on sec.credential = d.credential
left join projections.guardians_v1 g on g.guardian = d.holder
left join projections.pupils_v1 p on p.student = d.holder
left join lateral (
    select email from projections.addresses_v1 e where e.guardian = d.holder order by e.position limit 1
) first_address on true
left join lateral (
    select jsonb_agg(jsonb_build_object(
               'student', pupil.student, 'family_name', pupil.family_name, 'given_name', pupil.given_name,
               'class_id', class.class_id, 'class', class.title
           )) as children
    from (
        select gs.student from projections.guardianships_v1 gs where gs.guardian = d.holder and gs.data_access
        union all
        select p.student where p.student is not null
    ) whose
    join projections.pupils_v1 pupil using (student)
    left join lateral (
        select c.class_id, c.title from projections.places_v1 place
        join projections.classes_v1 c using (class_id)
        where place.student = pupil.student order by place.year desc limit 1
    ) class on true
) children on true
where d.delivery = any ($1::text[])
