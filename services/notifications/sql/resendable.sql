-- Whether a delivery's secret is still sealed, and whether there is an address for its channel.
select s.secret,
       case d.channel
           when 'institutional_mailbox' then exists (
               select from projections.mailboxes_v1 m where m.student = d.holder
           )
           else exists (select from projections.addresses_v1 e where e.guardian = d.holder)
               or exists (select from projections.corrected_addresses_v1 e where e.guardian = d.holder)
       end as reachable
from projections.deliveries_v1 d
left join projections.secrets_v1 s on s.credential = d.credential
where d.delivery = $1
