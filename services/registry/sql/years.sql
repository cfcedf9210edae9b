select year, starts, ends from projections.school_years_v1 where school = $1 order by year desc
