insert into private.upload_pieces (upload, number, sealed) values ($1, $2, $3)
