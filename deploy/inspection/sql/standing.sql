select position as head, clock_timestamp() as taken from events.head
