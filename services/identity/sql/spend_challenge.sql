-- No row comes back for one that was spent before.
insert into private.spent_challenges (challenge, ends_at)
values ($1, $2)
on conflict do nothing
returning challenge
