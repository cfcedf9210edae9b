-- Those that hold at $2, the newest use first.
select session, device, opened_with, remembered, opened_at, seen_at
from private.sessions
where account = $1 and ends_at > $2
  and (idle_seconds is null or seen_at + make_interval(secs => idle_seconds) > $2)
order by seen_at desc, session
