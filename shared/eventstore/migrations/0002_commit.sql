-- What a commit must know, asked in one round trip once the head is locked. Each statement of a volatile
-- function sees what was committed before it began, so all below see the history up to the locked head.
create function events.open_batch(
    streams text[], schools text[], scopes text[], keys text[],
    out head bigint, out versions integer[], out school_positions bigint[],
    out cursors jsonb, out known jsonb
) language plpgsql as $$
begin
    select h.position into head from events.head h for update;

    select array_agg(coalesce(last.stream_version, 0) order by s.ord) into versions
    from unnest(streams) with ordinality as s (stream, ord)
    left join lateral (
        select e.stream_version from events.entries e
        where e.stream = s.stream order by e.stream_version desc limit 1
    ) last on true;

    select array_agg(coalesce(sh.position, 0) order by s.ord) into school_positions
    from unnest(schools) with ordinality as s (school, ord)
    left join events.school_heads sh using (school);

    select coalesce(jsonb_object_agg(c.source, c.position), '{}') into cursors from events.cursors c;

    select coalesce(jsonb_agg(jsonb_build_object(
               'scope', i.scope, 'key', i.key, 'fingerprint', encode(i.fingerprint, 'hex'), 'result', i.result
           )), '[]') into known
    from unnest(scopes, keys) as k (scope, key) join events.idempotency i using (scope, key);
end $$;

create function events.close_batch(new_head bigint, schools text[], school_positions bigint[])
returns void language sql as $$
    update events.head set position = new_head;
    insert into events.school_heads as sh (school, position)
    select s.school, max(s.position) from unnest(schools, school_positions) as s (school, position) group by 1
    on conflict (school) do update set position = excluded.position;
$$;

create function events.append(
    new_head bigint, positions bigint[], schools text[], school_positions bigint[],
    streams text[], stream_versions integer[], entries bytea[]
) returns void language sql as $$
    insert into events.entries (position, school, school_position, stream, stream_version, entry)
    select * from unnest(positions, schools, school_positions, streams, stream_versions, entries);
    select events.close_batch(new_head, schools, school_positions);
$$;
