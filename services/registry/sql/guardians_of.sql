select student, guardian from projections.guardianships_v1 where student = any (array(select json_array_elements_text($1::json)))
