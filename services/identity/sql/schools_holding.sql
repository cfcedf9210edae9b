-- Which of these schools have a campaign that holds somebody back.
select distinct school from projections.campaigns_v1 where school = any ($1::text[]) and holds
