select position from events.head
