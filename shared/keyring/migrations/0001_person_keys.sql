-- A key for each person and purpose, wrapped by the key-encryption key. Destroy the row and the person is gone.
create schema keyring;
grant usage on schema keyring to registry, identity, notifications;

create table keyring.person_keys (
    key_id      uuid        primary key,
    person      text        not null,
    purpose     text        not null,
    wrapped     bytea       not null,
    created_at  timestamptz not null default now(),
    unique (person, purpose)
);

-- Services may insert and read; the registry alone deletes.
grant select, insert on keyring.person_keys to registry, identity, notifications;
grant delete on keyring.person_keys to registry;
