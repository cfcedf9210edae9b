-- Spent as it is read: of two who hand in the same code, one finds it. What comes from another session, or for
-- another thing, leaves it alone.
delete from private.confirmations c
using private.sessions s
where c.code_hash = $1
  and s.token_hash = $2
  and s.session = c.session
  and c.purpose = $3
  and c.subject = $4
  and c.ends_at > $5
  and s.ends_at > $5
  and (s.idle_seconds is null or s.seen_at + make_interval(secs => s.idle_seconds) > $5)
returning c.account
