-- One history per service. Positions have no gaps: the head row is the only counter, locked by each commit.
create schema events;
create schema projections;
create schema private;

create table events.head (
    only_row  boolean primary key default true check (only_row),
    position  bigint  not null default 0 check (position >= 0)
);
insert into events.head default values;

create table events.school_heads (
    school    text   primary key,
    position  bigint not null check (position > 0)
);

create table events.entries (
    position         bigint  primary key,
    school           text    not null,
    school_position  bigint  not null,
    stream           text    not null,
    stream_version   integer not null,
    entry            bytea   not null,
    unique (stream, stream_version),
    unique (school, school_position)
);

-- How far this service has read each of the others: the cursor is the inbox.
create table events.cursors (
    source    text   primary key,
    position  bigint not null check (position >= 0)
);

create table events.idempotency (
    scope        text        not null,
    key          text        not null,
    fingerprint  bytea       not null,
    result       jsonb       not null,
    recorded_at  timestamptz not null default now(),
    primary key (scope, key)
);

-- Commands of school systems that could not be carried out, with the reason; the payload is sealed.
create table events.quarantine (
    id           bigint      generated always as identity primary key,
    school       text        not null,
    message_id   text,
    reason       text        not null,
    payload      bytea       not null,
    arrived_at   timestamptz not null default now(),
    settled_at   timestamptz
);

create unique index quarantine_open on events.quarantine (school, message_id) where settled_at is null;

create function events.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'history is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end $$;

create trigger entries_are_forever before update or delete or truncate on events.entries
    for each statement execute function events.refuse_change();

create trigger head_never_goes_back before delete or truncate on events.head
    for each statement execute function events.refuse_change();

-- No gaps, whoever inserts: what comes follows on from the head, and the head never leaves the last entry.
create function events.follow_on() returns trigger language plpgsql as $$
declare was bigint;
begin
    select h.position into was from events.head h;
    if exists (select from added) and
       (select (min(position), max(position)) <> (was + 1, was + count(*)) from added) then
        raise exception 'positions must follow on from %', was using errcode = 'restrict_violation';
    end if;
    return null;
end $$;

create trigger entries_follow_on after insert on events.entries
    referencing new table as added for each statement execute function events.follow_on();

create function events.head_is_last() returns trigger language plpgsql as $$
begin
    if new.position < old.position
       or new.position <> coalesce((select max(position) from events.entries), 0) then
        raise exception 'the head is the last entry, and never goes back' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create trigger head_is_last before update on events.head
    for each row execute function events.head_is_last();

create function events.never_back() returns trigger language plpgsql as $$
begin
    if new.position < old.position then
        raise exception 'a position never goes back' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create trigger school_heads_never_back before update on events.school_heads
    for each row execute function events.never_back();

-- The service's own role may append, and change nothing that stands.
do $$
declare role text := current_setting('custode.service_role');
begin
    execute format('grant usage on schema events, projections, private to %I', role);
    execute format('grant select, insert on events.entries, events.idempotency to %I', role);
    execute format('grant select, insert, update on events.school_heads, events.cursors, events.quarantine to %I', role);
    execute format('grant select, update (position) on events.head to %I', role);
    execute format('alter default privileges in schema projections, private
                    grant select, insert, update, delete on tables to %I', role);
    execute format('alter default privileges in schema private grant usage, select on sequences to %I', role);
end $$;
