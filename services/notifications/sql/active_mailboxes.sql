select student from projections.mailboxes_v1 where student = any ($1::text[])
