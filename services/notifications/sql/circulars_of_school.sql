-- $2: one circular (null: all); $3: only those that are published to everybody.
select circular, school, year, number, day, subject, text, signed_by, audiences, classes, sizes,
       published_at, withdrawn_at, withdrawn_for
from projections.circulars_v1
where school = $1 and ($2::text is null or circular = $2)
  and (not $3 or (audiences ? 'public' and (withdrawn_at is null or $2::text is not null)))
order by day desc, published_at desc
