-- Whose credentials these are; `never_given`: a guardian's, on a slip that was printed and is not handed over.
select a.credential, a.holder,
       a.role = 'guardian' and exists (
           select from projections.deliveries_v1 d
           where d.account = a.account and d.credential = a.credential and d.generation = a.generation
             and d.channel = 'slip' and d.printings > 0
             and not exists (select from projections.hand_overs_v1 h where h.delivery = d.delivery)
       ) as never_given
from projections.accounts_v1 a
where a.credential = any ($1::text[])
