-- The first position that is not there though a later one is.
select e.was + 1 from (
    select position, lag(position, 1, 0::bigint) over (order by position) as was from events.entries
) e
where e.position <> e.was + 1 order by e.position limit 1
