-- A commit in one statement, for who knows where the history stands: cursor, entries, heads and the results of keys,
-- provided that all is as it was known to be; otherwise a serialization failure, and nothing has happened. Each statement
-- of a volatile function sees what was committed before it began, so all below see the history up to the locked head.
--   known_versions  {stream: version}        known_cursors, heads  {source or school: position}
--   places          [{school, school_position, stream, stream_version}], an entry each
--   results         [{scope, key, fingerprint (hex), result}]
create function events.append_at(
    known_head bigint, known_cursors jsonb, known_versions json, read_source text, read_upto bigint,
    places json, entries bytea[], heads json, results json
) returns void language plpgsql as $$
begin
    perform from events.head h where h.position = known_head for update;
    if not found
       or known_cursors <> (select coalesce(jsonb_object_agg(c.source, c.position), '{}') from events.cursors c)
       or exists (
           select from json_each_text(known_versions) as k (stream, version)
           where k.version::integer <> coalesce((
               select e.stream_version from events.entries e
               where e.stream = k.stream order by e.stream_version desc limit 1), 0)
       ) then
        raise exception 'the history has moved' using errcode = 'serialization_failure';
    end if;

    if read_source is not null then
        insert into events.cursors (source, position) values (read_source, read_upto)
        on conflict (source) do update set position = excluded.position;
    end if;

    if cardinality(entries) > 0 then
        insert into events.entries (position, school, school_position, stream, stream_version, entry)
        select known_head + a.n, a.school, a.school_position, a.stream, a.stream_version, a.entry
        from rows from (
            json_to_recordset(places) as (school text, school_position bigint, stream text, stream_version integer),
            unnest(entries)
        ) with ordinality as a (school, school_position, stream, stream_version, entry, n);
        update events.head set position = known_head + cardinality(entries);
        insert into events.school_heads (school, position)
        select h.key, h.value::bigint from json_each_text(heads) as h
        on conflict (school) do update set position = excluded.position;
    end if;

    if results is not null then
        insert into events.idempotency (scope, key, fingerprint, result)
        select r.scope, r.key, decode(r.fingerprint, 'hex'), r.result
        from json_to_recordset(results) as r (scope text, key text, fingerprint text, result jsonb);
    end if;
end $$;
