-- Everybody of these audiences of a school ($1: school, $2: audiences, $3: classes, empty for all, $4: the school year from
-- which places count), with the address that a message goes to: null where there is none.
with year as (
    select least($4::text, max(year)) as first from projections.places_v1 where school = $1
), pupils as (
    select distinct place.student
    from projections.places_v1 place, year
    where place.school = $1
      and case when cardinality($3::text[]) = 0 then place.year >= year.first else place.class_id = any ($3) end
)
select 'guardians' as audience, g.guardian as holder, g.family_name, g.given_name,
       coalesce(corrected.email, first_address.email) as address
from projections.guardians_v1 g
left join projections.corrected_addresses_v1 corrected using (guardian)
left join lateral (
    select email from projections.addresses_v1 e where e.guardian = g.guardian order by e.position limit 1
) first_address on true
where 'guardians' = any ($2::text[]) and g.guardian in (
    select gs.guardian from projections.guardianships_v1 gs join pupils using (student)
    where private.may_see(gs.guardian, gs.student, gs.data_access)
)
union all
select 'pupils', p.student, p.family_name, p.given_name, activated.email
from pupils
join projections.pupils_v1 p using (student)
left join projections.mailboxes_v1 activated using (student)
where 'pupils' = any ($2)
union all
select case when t.kind in ('ata', 'secretary') or not 'teachers' = any ($2) then 'ata' else 'teachers' end,
       t.person, t.family_name, t.given_name, t.email
from projections.staff_members_v1 t
where t.school = $1 and t.left_at is null
  and case
      when t.kind in ('ata', 'secretary') then 'ata' = any ($2)
      when t.kind = 'principal' then 'teachers' = any ($2) or 'ata' = any ($2)
      else 'teachers' = any ($2) and (
          cardinality($3) = 0 or exists (
              select from projections.teaching_v1 taught
              where taught.teacher = t.person and taught.class_id = any ($3)
          )
      )
  end
