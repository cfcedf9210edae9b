update events.cursors set position = $2 where source = $1 and position > $2 returning position + 1
