-- Mails that are to be tried now, oldest first; an attempt without an outcome is one that a crash cut short, and is
-- due also when its secret has ended: then that is its outcome. None to a guardian who may see no child's data: should
-- that be corrected, the mail is due. None of a campaign that is paused: see `held_back`.
select d.delivery
from projections.deliveries_v1 d
where d.status in ('requested', 'attempting', 'deferred') and d.channel in ('email', 'institutional_mailbox')
  and (d.retry_at is null or d.retry_at <= $1) and not d.delivery = any ($2::text[])
  and case
      when d.expires <= $1 then d.status = 'attempting'
      else coalesce(
          (
              select bool_or(private.may_see(g.guardian, g.student, g.data_access))
              from projections.guardianships_v1 g where g.guardian = d.holder
          ), true
      ) and not private.held_back(d.school, d.account, d.generation, d.holder, d.requested_at)
  end
order by d.requested_at, d.delivery
limit $3
