-- How a session was opened, and on what kind of device (a coarse word: no address is kept, M10).
alter table private.sessions
    add column opened_with text not null default 'password' check (opened_with in ('password', 'passkey')),
    add column device text not null default '';

-- Passkeys (WebAuthn). The public key is no secret, but it is of no use in history: it is changed at each use.
create table private.passkeys (
    passkey        text primary key,
    account        text        not null,
    school         text        not null,
    credential_id  bytea       not null unique,
    public_key     bytea       not null,
    sign_count     bigint      not null,
    name           text        not null,
    backed_up      boolean     not null,
    created_at     timestamptz not null,
    used_at        timestamptz
);
create index passkeys_account on private.passkeys (account);

-- A challenge is signed once: here is its hash, until it would be too old anyway.
create table private.spent_challenges (
    challenge  bytea primary key,
    ends_at    timestamptz not null
);

-- Accounts that were guessed at too often from unknown devices (DESIGN 7).
create table projections.locked_accounts_v1 (
    account  text primary key,
    school   text        not null,
    since    timestamptz not null
);

-- Who works at the school, as the registry says: whom an account can be opened for.
create table projections.appointed_staff_v1 (
    person       text primary key,
    school       text not null,
    kind         text not null,
    family_name  text,
    given_name   text
);
create index appointed_staff_v1_school on projections.appointed_staff_v1 (school);
