-- Accounts that no password opens for the time being: barred, lost, withdrawn (M5).
create table projections.suspensions_v1 (
    account  text primary key,
    school   text        not null,
    because  text        not null,
    since    timestamptz not null
);

-- Accounts that were ended: revoked, or retired with the school's local credentials (M12). Issued anew, they are open.
create table projections.endings_v1 (
    account  text primary key,
    school   text        not null,
    ending   text        not null,
    because  text,
    into_    text,
    since    timestamptz not null
);

-- Requests for regeneration and their one outcome (E6). What was written about people is the holder's personal data.
create table projections.regenerations_v1 (
    request         text primary key,
    account         text        not null,
    school          text        not null,
    holder          text        not null,
    asked_by        text        not null,
    asked_at        timestamptz not null,
    asker           text        not null,
    asked_check     text,
    motivation      text,
    state           text        not null,
    decided_at      timestamptz,
    decider         text,
    decided_check   text,
    reason          text
);
create index regenerations_v1_open on projections.regenerations_v1 (school, asked_at) where state = 'open';
create index regenerations_v1_account on projections.regenerations_v1 (account);

-- The last report of loss, until the credential is another one or the password was changed.
create table projections.losses_v1 (
    account      text primary key,
    school       text        not null,
    reported_by  text        not null,
    reported_at  timestamptz not null
);

-- Pupils whose institutional mailbox receives (E8).
create table projections.mailboxes_v1 (
    student  text primary key,
    school   text not null
);

-- From when a guardianship opens nothing any more: restricted, or ended; each stands without the other (M3).
create table projections.guardianship_limits_v1 (
    guardian  text,
    student   text,
    school    text    not null,
    starts    date    not null,
    ended     boolean not null,
    primary key (guardian, student, ended)
);

-- Who leaves the school on a day: their account is suspended then (M5). Who is back by then stays.
create table private.departures (
    student      text primary key,
    school       text        not null,
    leaves       date        not null,
    correlation  text        not null,
    causation    text        not null
);
create index departures_day on private.departures (leaves);

-- A credential that was regenerated is owed to its holder: no campaign holds it back.
alter table private.issuance_queue add column owed boolean not null default false;
