-- Who this session is, if it holds at $2; being asked about is being used. Before
-- `password_only_until` staff with a password alone are as good as those with a passkey.
with found as (
    select s.session, s.account, s.school, s.remembered, s.idle_seconds, s.ends_at, s.seen_at,
           s.must_change or (s.opened_with = 'password' and v.kind <> 'chosen' and v.expires <= $2) as must_change,
           a.holder, a.role, a.roles, coalesce(l.language, p.language) as language, s.opened_with,
           case when a.role = 'staff' then r.policy ->> 'staff_password_only_until' end as password_only_until
    from private.sessions s
    left join private.verifiers v using (account)
    join projections.accounts_v1 a using (account)
    left join projections.people_v1 p on p.person = a.holder
    left join projections.languages_v1 l using (account)
    left join lateral (
        select v.policy from projections.policy_versions_v1 v
        where v.school = a.school and v.in_force_from <= ($2 at time zone 'Europe/Rome')::date
        order by v.position desc
        limit 1
    ) r on a.role = 'staff'
    where s.token_hash = $1
      and s.ends_at > $2
      and (v.account is not null or s.opened_with = 'passkey')
      and not exists (select from projections.suspensions_v1 x where x.account = s.account)
      and (s.idle_seconds is null or s.seen_at + make_interval(secs => s.idle_seconds) > $2)
), touched as (
    update private.sessions s set seen_at = $2
    from found
    where s.token_hash = $1 and found.seen_at < $2 - interval '20 seconds'
)
select * from found
