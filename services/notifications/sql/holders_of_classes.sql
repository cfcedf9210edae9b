-- Every pupil of these classes and every guardian of theirs, with the newest credential and its delivery. $2: pupils
-- whom no class is asked of (their class is empty then); $3: only these holders, null for all.
with pupils as (
    select student, class_id from projections.places_v1 where class_id = any ($1::text[])
    union all
    select unnest($2::text[]), ''
), holders as (
    select student as holder, 'pupil' as role, student, class_id, null as relationship, true as data_access
    from pupils
    union all
    select g.guardian, 'guardian', g.student, pupils.class_id, g.relationship,
           private.may_see(g.guardian, g.student, g.data_access)
    from projections.guardianships_v1 g join pupils using (student)
    where not private.link_ended(g.guardian, g.student)
)
select h.holder, h.role, h.student, h.class_id, h.relationship, h.data_access,
       child.family_name as pupil_family_name, child.given_name as pupil_given_name,
       coalesce(g.family_name, child.family_name) as family_name,
       coalesce(g.given_name, child.given_name) as given_name,
       a.account, a.credential, a.generation, a.channel, a.exclusive, a.pin_issued, a.expires, a.issued_at,
       a.activated_at, a.kept_year, r.reason as refusal, sec.secret,
       (select string_agg(b.bar, ' ') from projections.account_bars_v1 b where b.account = a.account) as bars,
       exists (select from projections.regeneration_requests_v1 q where q.account = a.account) as to_decide,
       case h.role
           when 'pupil' then coalesce(child.institutional_email, '') <> ''
               or exists (select from projections.mailboxes_v1 m where m.student = h.holder)
           else exists (select from projections.addresses_v1 e where e.guardian = h.holder)
               or exists (select from projections.corrected_addresses_v1 e where e.guardian = h.holder)
       end as has_address,
       d.delivery, d.status, d.problem, d.code, d.changed_at, d.retry_at, d.printings,
       f.delivery as slip_delivery, f.status as slip_status, f.problem as slip_problem, f.code as slip_code,
       f.changed_at as slip_changed_at, f.retry_at as slip_retry_at, f.printings as slip_printings
from holders h
join projections.pupils_v1 child using (student)
left join projections.guardians_v1 g on h.role = 'guardian' and g.guardian = h.holder
left join projections.accounts_v1 a on a.holder = h.holder and a.role = h.role
left join projections.refusals_v1 r on r.holder = h.holder
left join projections.secrets_v1 sec on sec.credential = a.credential
left join projections.deliveries_v1 d
    on d.account = a.account and d.credential = a.credential and d.generation = a.generation and d.channel = a.channel
left join projections.deliveries_v1 f
    on f.account = a.account and f.credential = a.credential and f.generation = a.generation
    and f.channel = 'slip' and a.channel <> 'slip'
where $3::text[] is null or h.holder = any ($3::text[])
