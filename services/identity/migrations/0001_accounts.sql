-- What pages and decisions read. Personal data is here and in no event in the clear (DESIGN 6).
create table projections.schools_v1 (
    school       text primary key,
    name         text not null,
    customer_id  text not null
);
create index schools_v1_customer on projections.schools_v1 (customer_id);

create table projections.policies_v1 (
    school  text primary key,
    policy  jsonb not null
);

create table projections.school_years_v1 (
    school  text,
    year    text,
    primary key (school, year)
);

create table projections.people_v1 (
    person       text primary key,
    school       text not null,
    family_name  text,
    given_name   text,
    birth_date   date,
    language     text
);

create table projections.enrolments_v1 (
    student  text,
    year     text,
    school   text    not null,
    kind     text    not null,
    ended    boolean not null,
    primary key (student, year)
);

create table projections.guardianships_v1 (
    guardian     text,
    student      text,
    school       text    not null,
    data_access  boolean not null,
    primary key (guardian, student)
);
create index guardianships_v1_student on projections.guardianships_v1 (student);

create table projections.accounts_v1 (
    account    text primary key,
    school     text not null,
    holder     text not null,
    role       text not null,
    roles      text not null,
    user_code  text unique
);
create index accounts_v1_holder on projections.accounts_v1 (holder);

create table projections.credentials_v1 (
    credential   text primary key,
    account      text        not null,
    school       text        not null,
    generation   integer     not null,
    policy_role  text        not null,
    channel      text        not null,
    must_change  boolean     not null,
    expires      timestamptz not null,
    state        text        not null
);
create index credentials_v1_account on projections.credentials_v1 (account);

-- To whom nothing was issued, and why: what the desk can issue with one action (P2).
create table projections.refusals_v1 (
    account  text primary key,
    school   text not null,
    holder   text not null,
    role     text not null,
    year     text not null,
    reason   text not null
);
create index refusals_v1_school on projections.refusals_v1 (school, reason);

create table projections.sealing_keys_v1 (
    key         text primary key,
    public_key  text        not null,
    retires     timestamptz not null,
    published   bigint      not null
);

-- Who waits for a channel to open: the campaign's date, the institutional mailbox, a sealing key (DESIGN 5).
create table private.issuance_queue (
    account      text primary key,
    school       text        not null,
    holder       text        not null,
    role         text        not null,
    year         text,
    actor        text        not null,
    correlation  text        not null,
    causation    text,
    queued_at    timestamptz not null default now()
);
create index issuance_queue_school on private.issuance_queue (school, role, account);

-- One verifier an account. kind: initial (ends at `expires`, unless its use was begun and its change is only
-- advised), temporary (typed by another for a staff member: ends at `expires`) or chosen.
create table private.verifiers (
    account       text primary key,
    school        text        not null,
    kind          text        not null check (kind in ('initial', 'temporary', 'chosen')),
    password      text        not null,
    pepper        text        not null,
    must_change   boolean     not null,
    accessed      boolean     not null,
    expires       timestamptz,
    pin           text,
    pin_pepper    text,
    changed_at    timestamptz not null default now(),
    check ((kind = 'chosen') = (expires is null)),
    check ((pin is null) = (pin_pepper is null))
);
create index verifiers_expiry on private.verifiers (expires) where kind <> 'chosen';

-- Shredding a slip is deleting its row.
create table private.sealed_slips (
    credential  text primary key,
    account     text        not null,
    school      text        not null,
    generation  integer     not null,
    key         text        not null,
    sealed      bytea       not null,
    expires     timestamptz not null
);
create index sealed_slips_expiry on private.sealed_slips (expires);
create index sealed_slips_account on private.sealed_slips (account);

create table private.sessions (
    token_hash    bytea primary key,
    session       text        not null unique,
    account       text        not null,
    school        text        not null,
    must_change   boolean     not null,
    remembered    boolean     not null,
    opened_at     timestamptz not null,
    seen_at       timestamptz not null,
    idle_seconds  integer,
    ends_at       timestamptz not null
);
create index sessions_account on private.sessions (account);
create index sessions_end on private.sessions (ends_at);

-- By a keyed hash of the user code, whether or not there is such an account; device '' is any unknown one.
create table private.sign_in_failures (
    subject      bytea,
    device       text,
    account      text,
    school       text,
    failures     integer     not null,
    untold       integer     not null,
    last_at      timestamptz not null,
    told_at      timestamptz,
    primary key (subject, device)
);
create index sign_in_failures_untold on private.sign_in_failures (account) where untold > 0;
create index sign_in_failures_last on private.sign_in_failures (last_at);

create table private.known_devices (
    account   text,
    device    text,
    seen_at   timestamptz not null,
    primary key (account, device)
);
