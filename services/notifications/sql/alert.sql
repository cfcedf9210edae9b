select alert, holder from projections.alerts_v1 where alert = $1 and school = $2
