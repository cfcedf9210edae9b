delete from private.sessions
where ends_at <= $1 or seen_at + make_interval(secs => idle_seconds) <= $1
