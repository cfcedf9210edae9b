select i.kind, i.source, i.external_id, i.person
from unnest($2::text[], $3::text[], $4::text[]) as wanted (kind, source, external_id)
join projections.identifiers_v1 i
  on i.school = $1 and i.kind = wanted.kind and i.source = wanted.source and i.external_id = wanted.external_id
