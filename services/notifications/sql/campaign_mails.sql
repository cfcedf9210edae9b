-- Of a campaign's mails: how many a server took, and how many of them came back.
select count(*) as sent, count(*) filter (
    where exists (select from projections.bounces_v1 b where b.delivery = d.delivery)
) as bounced
from projections.campaigns_v1 c
join projections.deliveries_v1 d
    on d.school = c.school and d.requested_at >= c.planned_at and d.requested_at <= coalesce(c.ended_at, 'infinity')
join projections.accounts_v1 a using (account)
where c.campaign = $1 and d.channel in ('email', 'institutional_mailbox')
  and private.covers(c.roles, c.classes, a.policy_role, d.holder)
  and exists (
      select from projections.delivery_steps_v1 s
      where s.delivery = d.delivery and s.kind = 'mail' and s.outcome in ('accepted', 'bounced')
  )
