select external_id, person from projections.identifiers_v1
where school = $1 and kind = $2 and source = $3 and external_id = any (array(select json_array_elements_text($4::json)))
