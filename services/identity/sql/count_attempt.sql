-- Counted before the password is looked at, so that many at once cannot slip through; no row comes back while the
-- wait after the failures so far ($6 = from which one, $7 = seconds, doubled each time) is not over, or when an
-- unknown device has failed $8 times.
insert into private.sign_in_failures as f (subject, device, account, school, failures, untold, last_at)
values ($1, $2, $3, $4, 1, 1, $5)
on conflict (subject, device) do update set
    failures = f.failures + 1,
    untold = f.untold + 1,
    account = excluded.account,
    school = excluded.school,
    last_at = excluded.last_at
where (f.failures < $6
       or f.last_at + make_interval(secs => least(3600, $7 * power(2, least(f.failures - $6, 20)))) <= $5)
  and (f.device <> '' or f.failures < $8)
returning f.failures
