-- A campaign goes on: whom it covers, and whose secret ended while it was paused and had not left for them, waits anew.
insert into private.issuance_queue (account, school, holder, role, year, actor, correlation, causation, owed)
select a.account, a.school, a.holder, a.role, null, $2, $3, $4, false
from projections.campaigns_v1 campaign
join projections.accounts_v1 a on a.school = campaign.school and a.role <> 'staff'
join lateral (
    select c.* from projections.credentials_v1 c where c.account = a.account order by c.generation desc limit 1
) c on true
where campaign.campaign = $1 and campaign.roles ? c.policy_role and c.state = 'expired'
  and private.in_classes(campaign.classes, a.holder)
  and not exists (select from projections.claimed_v1 t where t.credential = c.credential)
  and not exists (select from projections.endings_v1 e where e.account = a.account)
  and not exists (select from projections.suspensions_v1 s where s.account = a.account)
on conflict (account) do nothing
