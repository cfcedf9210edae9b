select circular, audience, count(*) as readers
from projections.circular_reads_v1
where circular = any ($1::text[])
group by circular, audience
