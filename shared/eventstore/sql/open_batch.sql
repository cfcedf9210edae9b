-- Streams come as JSON: there may be thousands, and asyncpg takes far longer over arrays.
select head, versions, school_positions, cursors, known
from events.open_batch(array(select json_array_elements_text($1::json)), $2, $3, $4)
