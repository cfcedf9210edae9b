delete from private.spent_challenges
where ends_at < $1
