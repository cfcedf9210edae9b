-- What the desk and the family decide of a guardianship: rows only where something was decided, beside guardianships_v1.
create table projections.guardianship_restrictions_v1 (
    guardian       text not null,
    student        text not null,
    school         text not null,
    restricted_on  date not null,
    ground         text not null,
    primary key (guardian, student)
);

create table projections.guardianship_ends_v1 (
    guardian  text not null,
    student   text not null,
    school    text not null,
    ended_on  date not null,
    ground    text not null,
    primary key (guardian, student)
);

create table projections.wrong_child_reports_v1 (
    guardian     text        not null,
    student      text        not null,
    school       text        not null,
    note         text,
    reported_at  timestamptz not null,
    primary key (guardian, student)
);
create index wrong_child_reports_v1_by_school on projections.wrong_child_reports_v1 (school, reported_at);

-- `state`: requested, active, ended. Whether the guardian may justify is guardianships_v1's.
create table projections.justification_services_v1 (
    guardian  text        not null,
    student   text        not null,
    school    text        not null,
    state     text        not null,
    since     timestamptz not null,
    primary key (guardian, student)
);
create index justification_services_v1_by_state on projections.justification_services_v1 (school, state);

create table projections.parental_consents_v1 (
    student   text        not null,
    guardian  text        not null,
    school    text        not null,
    consents  boolean     not null,
    since     timestamptz not null,
    primary key (student, guardian)
);

-- Who a second record of a guardian was merged into: an address with the old id still leads to the person.
create table projections.merged_guardians_v1 (
    merged     text        primary key,
    guardian   text        not null,
    school     text        not null,
    merged_at  timestamptz not null
);

create table projections.pupil_mailboxes_v1 (
    student       text        primary key,
    school        text        not null,
    address       text,
    activated_at  timestamptz not null
);
create index pupil_mailboxes_v1_by_address on projections.pupil_mailboxes_v1 (school, lower(address));

create table projections.staff_members_v1 (
    person       text    primary key,
    school       text    not null,
    kind         text    not null,
    family_name  text,
    given_name   text,
    name_key     text,
    email        text,
    serves       boolean not null
);
create index staff_members_v1_by_school on projections.staff_members_v1 (school);

create table projections.teachings_v1 (
    teacher   text not null,
    class_id  text not null,
    school    text not null,
    primary key (teacher, class_id)
);
create index teachings_v1_by_class on projections.teachings_v1 (class_id);

-- Of identity's history: whose account a member of staff acts with, for the history of what was done and by whom.
create table projections.staff_accounts_v1 (
    account  text primary key,
    person   text not null,
    school   text not null
);

create index guardians_v1_by_name on projections.guardians_v1 (school, name_key);

-- A system of the school that tells which mailboxes of pupils are there.
alter table private.api_keys drop constraint api_keys_scopes_check;
alter table private.api_keys add constraint api_keys_scopes_check
    check (cardinality(scopes) > 0 and scopes <@ array['enrol', 'import', 'read', 'mailboxes']);
