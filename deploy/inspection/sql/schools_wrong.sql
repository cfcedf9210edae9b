-- Schools whose numbers have a gap, or whose head is not their last number; and how many schools there are.
select coalesce(e.school, h.school) as school, coalesce(e.entries, 0) as entries, coalesce(e.last, 0) as last,
       coalesce(h.position, 0) as head,
       coalesce(e.entries = e.last and e.first = 1 and e.last = h.position, false) as fine
from (
    select school, count(*) as entries, min(school_position) as first, max(school_position) as last
    from events.entries group by school
) e
full join events.school_heads h using (school)
