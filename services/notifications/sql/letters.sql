-- All that a mail or a slip says of its holder, but the secret. Of a guardian's children only those whose data the
-- guardian may see are named. `pace`: messages a minute to one domain at most, where an open campaign says so.
select d.delivery, d.school, d.account, d.holder, d.credential, d.generation, d.channel, d.exclusive,
       d.expires, d.status, d.attempts, d.printings, d.correlation, d.cause,
       coalesce(r.number, 0) as resends, coalesce(r.after, 0) as resent_after,
       s.name as school_name, s.customer_id,
       a.role, a.user_code, a.must_change, sec.secret,
       coalesce(g.family_name, p.family_name) as family_name,
       coalesce(g.given_name, p.given_name) as given_name,
       coalesce(chosen.language, g.language) as language,
       case d.channel
           when 'institutional_mailbox' then activated.email
           else coalesce(corrected.email, first_address.email)
       end as address,
       (
           select min(c.per_domain_a_minute) from projections.campaigns_v1 c
           where c.school = d.school and c.state = 'open' and c.planned_at <= d.requested_at
             and private.covers(c.roles, c.classes, a.policy_role, d.holder)
       ) as pace,
       (
           select jsonb_object_agg(w.language, jsonb_build_array(w.subject, w.opening, w.closing))
           from projections.mail_words_v1 w where w.school = d.school and w.template = 'credentials'
       ) as words,
       coalesce(children.children, '[]') as children
from projections.deliveries_v1 d
join projections.accounts_v1 a using (account)
left join projections.resends_v1 r using (delivery)
left join projections.schools_v1 s on s.school = d.school
left join projections.secrets_v1 sec on sec.credential = d.credential
left join projections.guardians_v1 g on g.guardian = d.holder
left join projections.chosen_languages_v1 chosen on chosen.holder = d.holder
left join projections.pupils_v1 p on p.student = d.holder
left join projections.corrected_addresses_v1 corrected on corrected.guardian = d.holder
left join projections.mailboxes_v1 activated on activated.student = d.holder
left join lateral (
    select email from projections.addresses_v1 e where e.guardian = d.holder order by e.position limit 1
) first_address on true
left join lateral (
    select jsonb_agg(jsonb_build_object(
               'student', pupil.student, 'family_name', pupil.family_name, 'given_name', pupil.given_name,
               'class_id', class.class_id, 'class', class.title
           )) as children
    from (
        select gs.student from projections.guardianships_v1 gs
        where gs.guardian = d.holder and private.may_see(gs.guardian, gs.student, gs.data_access)
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
