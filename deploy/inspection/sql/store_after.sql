select position, entry from events.entries where position > $1 and position <= $2 order by position limit $3
