-- The mails of these holders' newest credentials that reached nobody, while their secret lives; none for which a slip was
-- printed instead.
select d.delivery, d.holder, d.channel
from projections.deliveries_v1 d
join projections.accounts_v1 a
    on a.account = d.account and a.credential = d.credential and a.generation = d.generation
left join projections.secrets_v1 s on s.credential = d.credential
where d.holder = any ($1::text[]) and d.channel in ('email', 'institutional_mailbox')
  and d.status in ('bounced', 'failed', 'refused') and d.expires > $2 and coalesce(s.secret, 'sealed') = 'sealed'
  and not exists (
      select from projections.deliveries_v1 slip
      where slip.account = d.account and slip.credential = d.credential and slip.channel = 'slip' and slip.printings > 0
  )
