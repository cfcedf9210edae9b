-- What pages and decisions read. Personal data stands here alone: the schema is left out of logical backups.
create table projections.schools_v1 (
    school       text primary key,
    name         text not null,
    customer_id  text not null,
    policy       jsonb not null
);

create table projections.classes_v1 (
    class_id    text primary key,
    school      text not null,
    year        text not null,
    title       text not null,
    grade       integer,
    section     text,
    curriculum  text
);
create index classes_of_school on projections.classes_v1 (school, year);

create table projections.pupils_v1 (
    student              text primary key,
    school               text not null,
    family_name          text,
    given_name           text,
    institutional_email  text
);

-- In which class a pupil is in a year; a row goes when the pupil leaves.
create table projections.places_v1 (
    student   text not null,
    year      text not null,
    school    text not null,
    class_id  text not null,
    primary key (student, year)
);
create index places_of_class on projections.places_v1 (class_id);

create table projections.guardians_v1 (
    guardian     text primary key,
    school       text not null,
    family_name  text,
    given_name   text,
    language     text
);

-- Every address that was given at an enrolment: the first one stands (E3).
create table projections.addresses_v1 (
    guardian  text   not null,
    position  bigint not null,
    email     text   not null,
    primary key (guardian, position)
);

create table projections.guardianships_v1 (
    guardian      text not null,
    student       text not null,
    school        text not null,
    relationship  text not null,
    data_access   boolean not null,
    primary key (guardian, student)
);
create index guardians_of_pupil on projections.guardianships_v1 (student);

create table projections.accounts_v1 (
    account       text primary key,
    school        text not null,
    holder        text not null,
    role          text not null,
    user_code     text,
    credential    text,
    generation    integer,
    policy_role   text,
    channel       text,
    exclusive     boolean,
    pin_issued    boolean,
    must_change   boolean,
    issued_at     timestamptz,
    expires       timestamptz,
    kept_year     text,
    activated_at  timestamptz,
    changed_at    timestamptz,
    signed_in_at  timestamptz
);
create index accounts_of_holder on projections.accounts_v1 (holder);

-- What became of the initial secret of these credentials: sealed, or why it was shredded.
create table projections.secrets_v1 (
    credential  text primary key,
    account     text not null,
    secret      text not null
);

-- To whom nothing was issued, and why; whoever was refused may have no account at all.
create table projections.refusals_v1 (
    holder  text primary key,
    school  text not null,
    year    text not null,
    reason  text not null
);

create table projections.staff_v1 (
    account      text primary key,
    school       text not null,
    family_name  text,
    given_name   text
);

create table projections.deliveries_v1 (
    delivery      text primary key,
    school        text not null,
    account       text not null,
    holder        text not null,
    credential    text not null,
    generation    integer not null,
    channel       text not null,
    exclusive     boolean not null,
    expires       timestamptz not null,
    status        text not null,
    problem       text,
    code          integer,
    attempts      integer not null,
    printings     integer not null,
    retry_at      timestamptz,
    requested_at  timestamptz not null,
    changed_at    timestamptz not null,
    correlation   text not null,
    cause         text not null
);
create index deliveries_of_account on projections.deliveries_v1 (account);
create index deliveries_due on projections.deliveries_v1 (requested_at, delivery)
    where status in ('requested', 'attempting', 'deferred') and channel in ('email', 'institutional_mailbox');

-- Each thing that was done for a delivery: an attempt with its outcome, or a printing with its reason.
create table projections.delivery_steps_v1 (
    delivery  text not null,
    kind      text not null,
    number    integer not null,
    at        timestamptz not null,
    actor     text not null,
    outcome   text,
    ended_at  timestamptz,
    code      integer,
    problem   text,
    retry_at  timestamptz,
    reason    text,
    primary key (delivery, kind, number)
);
