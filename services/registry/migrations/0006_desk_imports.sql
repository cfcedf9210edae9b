-- Files that the desk has sent and looks at before anything is done with them: sealed, in pieces, for an hour. What an
-- import did stays to be read for some days; it names nobody.
create table private.uploads (
    id           text        primary key,
    school       text        not null,
    account      text        not null,
    file         text        not null,
    size         bigint      not null,
    sha256       bytea       not null check (octet_length(sha256) = 32),
    state        text        not null check (state in ('ready', 'running', 'done', 'failed')),
    done         integer     not null default 0,
    total        integer     not null default 0,
    report       jsonb       not null,
    received_at  timestamptz not null,
    touched_at   timestamptz not null,
    expires      timestamptz not null
);
create index uploads_account on private.uploads (school, account, received_at);
create index uploads_expiry on private.uploads (expires);

create table private.upload_pieces (
    upload  text    references private.uploads on delete cascade,
    number  integer,
    sealed  bytea   not null,
    primary key (upload, number)
);

-- Of identity's history: which accounts have credentials, for the preview of a policy. Those keep the terms they have.
create table projections.credential_holders_v1 (
    account  text primary key,
    holder   text not null,
    school   text not null
);
create index credential_holders_v1_holder on projections.credential_holders_v1 (holder);
