-- What commands must know before they decide, in one round trip: the histories of their streams, each in order, and
-- what their idempotency keys were answered. A function keeps its plan (a parameter's length would have it planned
-- anew each time), and goes by the indexes, whatever the statistics of a table that has just begun to grow.
--   asked_keys  [{scope, key}], or null
create function events.recall(asked_streams text[], asked_keys json)
returns table (name text, key text, entry bytea, fingerprint bytea, result jsonb)
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    select s.stream, null::text, e.entry, null::bytea, null::jsonb
    from unnest(asked_streams) as s (stream)
    cross join lateral (
        select e.entry from events.entries e where e.stream = s.stream order by e.stream_version
    ) e;

    if asked_keys is not null then
        return query
        select i.scope, i.key, null::bytea, i.fingerprint, i.result
        from json_to_recordset(asked_keys) as asked (scope text, key text)
        join events.idempotency i using (scope, key);
    end if;
end $$;

alter function events.append_at set enable_seqscan = off;
alter function events.append_at set plan_cache_mode = force_generic_plan;

-- As before, asked in one go: each commit pays for it.
create or replace function events.follow_on() returns trigger language plpgsql as $$
declare was bigint; first bigint; last bigint; count bigint;
begin
    select h.position, a.first, a.last, a.count into was, first, last, count
    from events.head h, (select min(n.position), max(n.position), count(*) from added n) as a (first, last, count);
    if count > 0 and (first <> was + 1 or last <> was + count) then
        raise exception 'positions must follow on from %', was using errcode = 'restrict_violation';
    end if;
    return null;
end $$;
