-- Printed slips as the register of hand-overs sees them. `current`: the sheet bears what its holder's account has today,
-- and nothing keeps it shut. `classes`: of the pupil, or of the children whose data the guardian may see, in the newest
-- year of each.
select d.delivery, d.school, d.account, d.holder, d.credential, d.expires, d.printings, d.correlation, d.cause,
       a.role, a.activated_at,
       a.credential = d.credential and a.generation = d.generation and not exists (
           select from projections.account_bars_v1 b where b.account = a.account and b.bar <> 'locked'
       ) as current,
       coalesce(g.family_name, p.family_name) as family_name, coalesce(g.given_name, p.given_name) as given_name,
       from_class.class_id as printed_from,
       h.at, h.class_id as handed_in, in_class.title as handed_in_title, h.handed_to, h.by, h.delegate, h.actor,
       staff.family_name as by_family_name, staff.given_name as by_given_name,
       coalesce(children.children, '[]') as children
from projections.deliveries_v1 d
join projections.accounts_v1 a using (account)
left join projections.guardians_v1 g on g.guardian = d.holder
left join projections.pupils_v1 p on p.student = d.holder
left join private.printed_from from_class using (delivery)
left join projections.hand_overs_v1 h using (delivery)
left join projections.classes_v1 in_class on in_class.class_id = h.class_id
left join projections.staff_v1 staff on staff.account = h.actor
left join lateral (
    select jsonb_agg(jsonb_build_object(
               'student', pupil.student, 'family_name', pupil.family_name, 'given_name', pupil.given_name,
               'class_id', place.class_id, 'class', place.title
           )) as children
    from (
        select gs.student from projections.guardianships_v1 gs
        where gs.guardian = d.holder and private.may_see(gs.guardian, gs.student, gs.data_access)
        union all
        select p.student where p.student is not null
    ) whose
    join projections.pupils_v1 pupil using (student)
    join lateral (
        select c.class_id, c.title from projections.places_v1 at
        join projections.classes_v1 c using (class_id)
        where at.student = pupil.student order by at.year desc limit 1
    ) place on true
) children on true
where d.delivery = any ($1::text[]) and d.school = $2 and d.channel = 'slip' and d.printings > 0
