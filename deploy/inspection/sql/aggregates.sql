-- The histories of all aggregates of one category ('account/%'), one after the other.
select stream, position, school, entry from events.entries where stream like $1 order by stream, stream_version
