select source, position from events.cursors
