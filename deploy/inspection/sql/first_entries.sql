select stream, entry from events.entries where stream = any ($1::text[]) and stream_version = 1
