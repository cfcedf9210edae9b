select max(year) from projections.school_years_v1 where school = $1
