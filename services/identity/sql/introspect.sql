-- Who this session is, if it holds at $2; being asked about is being used.
with found as (
    select s.session, s.account, s.school, s.remembered, s.idle_seconds, s.ends_at, s.seen_at,
           s.must_change or (v.kind <> 'chosen' and v.expires <= $2) as must_change,
           a.holder, a.role, a.roles, p.language
    from private.sessions s
    join private.verifiers v using (account)
    join projections.accounts_v1 a using (account)
    left join projections.people_v1 p on p.person = a.holder
    where s.token_hash = $1
      and s.ends_at > $2
      and (s.idle_seconds is null or s.seen_at + make_interval(secs => s.idle_seconds) > $2)
), touched as (
    update private.sessions s set seen_at = $2
    from found
    where s.token_hash = $1 and found.seen_at < $2 - interval '20 seconds'
)
select * from found
