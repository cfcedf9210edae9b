update private.turns set token = private.same_turn(token, $2) where school = $1
