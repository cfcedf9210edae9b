select stream, stream_version, entry from events.entries where stream = any ($1::text[]) order by stream, stream_version
