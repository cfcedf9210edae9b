-- All that a notice says, and to whom. `here`: whether the person still belongs to the school; `channel` and `delivered_at`:
-- how and when the credentials that a reminder is about were delivered.
select n.notice, n.school, n.kind, n.holder, n.about, n.attempts, n.correlation, n.cause,
       s.name as school_name, s.customer_id,
       case when g.guardian is not null then 'guardian' when p.student is not null then 'pupil' else 'staff' end as role,
       coalesce(g.family_name, p.family_name, t.family_name) as family_name,
       coalesce(g.given_name, p.given_name, t.given_name) as given_name,
       coalesce(chosen.language, g.language) as language,
       case
           when g.guardian is not null then coalesce(corrected.email, first_address.email)
           when p.student is not null then activated.email
           else t.email
       end as address,
       case
           when g.guardian is not null then exists (
               select from projections.guardianships_v1 gs
               where gs.guardian = n.holder and private.may_see(gs.guardian, gs.student, gs.data_access)
           )
           when p.student is not null then true
           else t.person is not null and t.left_at is null
       end as here,
       c.number, c.day, c.subject, c.signed_by, c.withdrawn_at,
       a.credential, a.expires, a.policy_role, a.issued_at, a.activated_at, a.signed_in_at, sec.secret,
       exists (
           select from projections.account_bars_v1 b where b.account = n.account
       ) as barred,
       d.channel, d.delivered_at,
       (
           select jsonb_object_agg(w.language, jsonb_build_array(w.subject, w.opening, w.closing))
           from projections.mail_words_v1 w where w.school = n.school and w.template = n.kind
       ) as words
from projections.notices_v1 n
left join projections.schools_v1 s using (school)
left join projections.guardians_v1 g on g.guardian = n.holder
left join projections.pupils_v1 p on p.student = n.holder
left join projections.staff_members_v1 t on t.person = n.holder
left join projections.chosen_languages_v1 chosen on chosen.holder = n.holder
left join projections.corrected_addresses_v1 corrected on corrected.guardian = n.holder
left join projections.mailboxes_v1 activated on activated.student = n.holder
left join lateral (
    select email from projections.addresses_v1 e where e.guardian = n.holder order by e.position limit 1
) first_address on true
left join projections.circulars_v1 c on n.kind = 'circular' and c.circular = n.about
left join projections.accounts_v1 a on n.kind = 'reminder' and a.account = n.account
left join projections.secrets_v1 sec on sec.credential = n.about
left join lateral (
    select d.channel, d.changed_at as delivered_at
    from projections.deliveries_v1 d
    where d.account = n.account and d.credential = n.about and d.status in ('accepted', 'printed', 'handed_over')
    order by d.changed_at desc
    limit 1
) d on true
where n.notice = any ($1::text[])
