-- Credentials that were delivered, still live, and that nobody signed in with: whom to remind now.
-- $1: now; $2, $3: schools with the days that they let pass; $4: only these classes' holders (null: all); $5: most;
-- $6: how many reminders there may be of the same credentials.
-- Nobody is reminded twice on one day, and nobody while a campaign that covers them is paused.
select a.school, a.account, a.holder, a.credential, coalesce(sent.number, 0) + 1 as number
from unnest($2::text[], $3::integer[]) as rule (school, days)
join projections.accounts_v1 a using (school)
join projections.secrets_v1 sec on sec.credential = a.credential and sec.secret in ('sealed', 'handed_over')
join lateral (
    select max(d.changed_at) as at
    from projections.deliveries_v1 d
    where d.account = a.account and d.credential = a.credential and d.generation = a.generation
      and d.status in ('accepted', 'printed', 'handed_over')
) delivered on delivered.at is not null
left join lateral (
    select max(n.number) as number, max(n.requested_at) as at
    from projections.notices_v1 n
    where n.kind = 'reminder' and n.about = a.credential
) sent on true
where a.expires > $1 and a.activated_at is null and (a.signed_in_at is null or a.signed_in_at < a.issued_at)
  and not exists (select from projections.account_bars_v1 b where b.account = a.account)
  and coalesce(sent.number, 0) < $6
  and greatest(delivered.at, coalesce(sent.at, delivered.at)) + make_interval(days => rule.days) <= $1
  and (
      sent.at is null
      or (sent.at at time zone 'Europe/Rome')::date < ($1::timestamptz at time zone 'Europe/Rome')::date
  )
  and case a.role
      when 'guardian' then (
          exists (select from projections.corrected_addresses_v1 e where e.guardian = a.holder)
          or exists (select from projections.addresses_v1 e where e.guardian = a.holder)
      ) and exists (
          select from projections.guardianships_v1 gs
          where gs.guardian = a.holder and private.may_see(gs.guardian, gs.student, gs.data_access)
      )
      when 'pupil' then exists (select from projections.mailboxes_v1 m where m.student = a.holder)
      else false
  end
  and ($4::text[] is null or a.holder in (
      select student from projections.places_v1 where class_id = any ($4)
      union
      select gs.guardian
      from projections.places_v1 place
      join projections.guardianships_v1 gs using (student)
      where place.class_id = any ($4) and private.may_see(gs.guardian, gs.student, gs.data_access)
  ))
  and not private.held_back(a.school, a.account, a.generation, a.holder, delivered.at)
order by delivered.at, a.account
limit $5
