select sealed from private.upload_pieces where upload = $1 and number = $2
