select delivery, holder, credential, generation, channel, exclusive, expires, status, problem, code, attempts,
       printings, retry_at, requested_at, changed_at, correlation,
       not coalesce(
           (
               select bool_or(private.may_see(g.guardian, g.student, g.data_access))
               from projections.guardianships_v1 g where g.guardian = holder
           ), true
       ) as no_data_access
from projections.deliveries_v1
where delivery = $1 and school = $2
