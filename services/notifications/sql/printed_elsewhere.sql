-- Which of these slips were printed last from another class than this.
select delivery from private.printed_from where delivery = any ($1::text[]) and class_id <> $2
