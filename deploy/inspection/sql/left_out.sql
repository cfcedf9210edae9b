-- Of these accounts, those of which nothing was decided: no credential, no refusal, nobody who waits.
select wanted.account
from unnest($1::text[]) as wanted (account)
where not exists (select from projections.credentials_v1 c where c.account = wanted.account)
  and not exists (select from projections.refusals_v1 r where r.account = wanted.account)
  and not exists (select from private.issuance_queue q where q.account = wanted.account)
