insert into private.circular_drafts (draft, school, content, author, updated_at)
values ($1, $2, $3, $4, $5)
on conflict (draft) do update
set content = excluded.content, author = excluded.author, updated_at = excluded.updated_at
where circular_drafts.school = excluded.school and circular_drafts.circular is null
