select draft, content, author, updated_at, circular
from private.circular_drafts
where school = $1 and ($2::text is null or draft = $2) and ($2::text is not null or circular is null)
order by updated_at desc
