select position, school, school_position, stream, stream_version, entry from events.entries order by position
