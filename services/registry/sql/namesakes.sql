select wanted.name_key, wanted.birth_date, s.student
from unnest($2::text[], $3::date[]) as wanted (name_key, birth_date)
join projections.students_v1 s
  on s.school = $1 and s.name_key = wanted.name_key and s.birth_date = wanted.birth_date
