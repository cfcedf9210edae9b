select count(*) from projections.alerts_v1 where school = $1 and settled_at is null
