-- Who got which slip, as it stands: one row for a slip that is handed over now (P5).
create table projections.hand_overs_v1 (
    delivery      text primary key,
    school        text not null,
    account       text not null,
    holder        text not null,
    credential    text not null,
    class_id      text,
    handed_to     text not null,
    by            text not null,
    delegate      text,
    actor         text not null,
    at            timestamptz not null
);

-- Everything that was said of it, undone hand-overs included.
create table projections.hand_over_steps_v1 (
    delivery   text   not null,
    position   bigint not null,
    undone     boolean not null,
    class_id   text,
    handed_to  text,
    by         text,
    note       text,
    actor      text not null,
    at         timestamptz not null,
    primary key (delivery, position)
);

-- What keeps a holder out, or did: locked, suspended, lost (suspended for a loss), revoked, retired.
create table projections.account_bars_v1 (
    account  text not null,
    bar      text not null,
    because  text,
    since    timestamptz not null,
    primary key (account, bar)
);

-- Requests for regeneration that nobody has decided yet.
create table projections.regeneration_requests_v1 (
    request       text primary key,
    account       text not null,
    requested_at  timestamptz not null
);
create index regeneration_requests_of_account on projections.regeneration_requests_v1 (account);

-- Who teaches in which class, and may hand over there.
create table projections.teaching_v1 (
    teacher   text not null,
    class_id  text not null,
    school    text not null,
    primary key (teacher, class_id)
);

create table projections.alerts_v1 (
    alert       text primary key,
    school      text not null,
    kind        text not null,
    about       text not null,
    holder      text,
    raised_at   timestamptz not null,
    settled_at  timestamptz,
    settled_by  text,
    note        text
);
create index alerts_of_school on projections.alerts_v1 (school, raised_at);

-- The desk's search: each part of a name, without accents and apostrophes, beside its school. An apostrophe and a space
-- divide a name and do not: D'Amico is found as d'amico, amico and damico, De Luca as luca and deluca.
create function projections.plain_name(name text) returns text
language sql immutable parallel safe
return regexp_replace(lower(normalize(coalesce(name, ''), NFKD)), '[\u0300-\u036f]', '', 'g');

create function projections.name_words(school text, family_name text, given_name text) returns tsvector
language sql immutable parallel safe
return array_to_tsvector(array_remove(
    regexp_split_to_array(projections.plain_name(family_name) || ' ' || projections.plain_name(given_name), '[^[:alnum:]]+')
    || array[
        regexp_replace(projections.plain_name(family_name), '[^[:alnum:]]+', '', 'g'),
        regexp_replace(projections.plain_name(given_name), '[^[:alnum:]]+', '', 'g'),
        '@' || school
    ],
    ''
));

create index pupils_by_name on projections.pupils_v1
    using gin (projections.name_words(school, family_name, given_name));
create index guardians_by_name on projections.guardians_v1
    using gin (projections.name_words(school, family_name, given_name));
create index accounts_by_code on projections.accounts_v1 (school, lower(user_code) text_pattern_ops);
create index accounts_by_credential on projections.accounts_v1 (credential);
