select stream, count(*) as entries, min(stream_version) as first, max(stream_version) as last
from events.entries group by stream
having min(stream_version) <> 1 or max(stream_version) <> count(*)
order by stream
