-- The newest printed slip of everybody who takes one in this class, those that were handed over there, and who is still
-- to be printed for. A sheet that was printed from the class of a brother or sister is handed over there.
with pupils as (
    select student from projections.places_v1 where class_id = $1
), holders as (
    select student as holder from pupils
    union
    select g.guardian from projections.guardianships_v1 g join pupils using (student)
    where private.may_see(g.guardian, g.student, g.data_access)
)
select d.delivery
from holders
join projections.accounts_v1 a using (holder)
join projections.deliveries_v1 d
    on d.account = a.account and d.credential = a.credential and d.generation = a.generation
    and d.channel = 'slip' and d.printings > 0
left join private.printed_from p using (delivery)
where coalesce(p.class_id, $1) = $1
