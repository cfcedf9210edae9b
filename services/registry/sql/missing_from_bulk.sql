-- Pupils whom this system enrolled before in these years, and whom its complete file no longer has.
select count(distinct i.person) from projections.identifiers_v1 i
join projections.enrolments_v1 e on e.student = i.person and e.year = any ($3::text[]) and not e.ended
where i.school = $1 and i.kind = 'pupil' and i.source = $2
  and not exists (
      select 1 from projections.identifiers_v1 said
      where said.school = $1 and said.kind = 'pupil' and said.source = $2 and said.person = i.person
        and said.external_id = any ($4::text[]))
