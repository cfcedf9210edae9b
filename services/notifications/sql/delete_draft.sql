delete from private.circular_drafts where draft = $1 and school = $2 and circular is null
