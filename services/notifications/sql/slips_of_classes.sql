-- The newest printed slip of everybody who takes one in each of these classes, those that were handed over there, and who
-- is still to be printed for. A sheet that was printed from the class of a brother or sister is handed over there.
with pupils as (
    select student, class_id from projections.places_v1 where class_id = any ($1::text[])
), holders as (
    select student as holder, class_id from pupils
    union
    select g.guardian, pupils.class_id from projections.guardianships_v1 g join pupils using (student)
    where private.may_see(g.guardian, g.student, g.data_access)
)
select h.class_id, d.delivery
from holders h
join projections.accounts_v1 a using (holder)
join projections.deliveries_v1 d
    on d.account = a.account and d.credential = a.credential and d.generation = a.generation
    and d.channel = 'slip' and d.printings > 0
left join private.printed_from p using (delivery)
where coalesce(p.class_id, h.class_id) = h.class_id
