-- The children of a guardian, or the guardians of a pupil, whose guardianship was not ended.
select case when g.guardian = $1 then g.student else g.guardian end as person, g.guardian = $1 as child,
       p.family_name, p.given_name
from projections.guardianships_v1 g
left join projections.people_v1 p on p.person = case when g.guardian = $1 then g.student else g.guardian end
where (g.guardian = $1 or g.student = $1) and g.school = $2
  and not exists (
      select from projections.guardianship_limits_v1 l
      where l.guardian = g.guardian and l.student = g.student and l.ended and l.starts <= $3
  )
order by person
