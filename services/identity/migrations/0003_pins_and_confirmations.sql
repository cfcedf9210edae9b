-- How each account's PIN stands: active or disabled; no row where there is none (E2).
create table projections.pins_v1 (
    account   text primary key,
    standing  text not null
);
insert into projections.pins_v1 (account, standing)
select account, 'active' from private.verifiers where pin is not null;

-- In which language a holder said that they read (M14).
create table projections.languages_v1 (
    account   text primary key,
    school    text not null,
    holder    text not null,
    language  text not null
);

-- Wrong PINs since the last right one, counted before they are looked at; the tenth ends the PIN (DESIGN 7).
alter table private.verifiers
    add column pin_failures integer not null default 0,
    add column pin_tried_at timestamptz;
create index verifiers_pin_spent on private.verifiers (account) where pin is not null and pin_failures >= 10;

-- What a holder has just confirmed: one row a code, deleted when it is handed in.
create table private.confirmations (
    code_hash  bytea primary key,
    session    text        not null,
    account    text        not null,
    school     text        not null,
    purpose    text        not null,
    subject    text        not null,
    ends_at    timestamptz not null
);
create index confirmations_end on private.confirmations (ends_at);
