update private.circular_drafts set circular = $3 where draft = $1 and school = $2
