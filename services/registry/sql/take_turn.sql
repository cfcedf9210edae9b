select private.take_turn($1, $2)
