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

-- What the next answer of an authenticator must sign: used once, by the browser that asked, for five minutes at most.
create table private.passkey_challenges (
    browser    bytea,
    purpose    text        not null check (purpose in ('register', 'sign_in')),
    account    text,
    challenge  bytea       not null,
    ends_at    timestamptz not null,
    primary key (browser, purpose)
);
create index passkey_challenges_end on private.passkey_challenges (ends_at);

-- Accounts that were guessed at too often from unknown devices (DESIGN 7).
create table projections.locked_accounts_v1 (
    account  text primary key,
    school   text        not null,
    since    timestamptz not null
);
