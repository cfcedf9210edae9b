-- What pages and decisions read. Rebuilt from the history at any time; names carry a version.
create table projections.schools_v1 (
    school         text primary key,
    name           text    not null,
    customer_id    text    not null,
    entry_grade    integer not null,
    policy         jsonb,
    policy_reason  text
);

create table projections.school_years_v1 (
    school  text not null,
    year    text not null,
    starts  date not null,
    ends    date not null,
    primary key (school, year)
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
create index classes_v1_by_year on projections.classes_v1 (school, year);

-- What each of a school's systems calls a class.
create table projections.class_identifiers_v1 (
    school       text not null,
    year         text not null,
    source       text not null,
    external_id  text not null,
    class_id     text not null,
    primary key (school, year, source, external_id)
);

create table projections.students_v1 (
    student              text primary key,
    school               text not null,
    family_name          text,
    given_name           text,
    name_key             text,
    birth_date           date,
    codice_fiscale       text,
    institutional_email  text
);
create index students_v1_by_codice_fiscale on projections.students_v1 (school, codice_fiscale);
create index students_v1_by_name on projections.students_v1 (school, name_key);

create table projections.enrolments_v1 (
    student     text    not null,
    year        text    not null,
    school      text    not null,
    class_id    text    not null,
    kind        text    not null,
    starts      date,
    ended       boolean not null,
    ended_on    date,
    end_reason  text,
    primary key (student, year)
);
create index enrolments_v1_by_class on projections.enrolments_v1 (class_id);
create index enrolments_v1_by_year on projections.enrolments_v1 (school, year);

create table projections.guardians_v1 (
    guardian        text primary key,
    school          text not null,
    family_name     text,
    given_name      text,
    name_key        text,
    codice_fiscale  text,
    email           text,
    phone           text,
    language        text
);
create index guardians_v1_by_codice_fiscale on projections.guardians_v1 (school, codice_fiscale);

create table projections.guardianships_v1 (
    guardian          text    not null,
    student           text    not null,
    school            text    not null,
    relationship      text    not null,
    data_access       boolean not null,
    justifies_online  boolean not null,
    primary key (guardian, student)
);
create index guardianships_v1_by_student on projections.guardianships_v1 (student);

-- Who is who: what each of a school's systems calls a person. One person an id.
create table projections.identifiers_v1 (
    school       text not null,
    kind         text not null,
    source       text not null,
    external_id  text not null,
    person       text not null,
    primary key (school, kind, source, external_id)
);
create index identifiers_v1_by_person on projections.identifiers_v1 (person);

-- Of identity's history: what staff are called, for the page that greets them.
create table projections.staff_v1 (
    person       text primary key,
    school       text not null,
    family_name  text,
    given_name   text
);

-- Keys of school systems: the key itself is shown once and kept nowhere, only its SHA-256.
create table private.api_keys (
    id           text        primary key,
    school       text        not null,
    name         text        not null,
    key_hash     bytea       not null unique check (octet_length(key_hash) = 32),
    created_at   timestamptz not null default now(),
    created_by   text        not null,
    revoked_at   timestamptz,
    unique (school, name)
);

-- People who may be one and the same, for the desk to decide: never merged alone (IMPORTS.md).
create table private.proposals (
    id           bigint      generated always as identity primary key,
    school       text        not null,
    kind         text        not null,
    person       text        not null,
    source       text        not null,
    external_id  text        not null,
    reason       text        not null,
    proposed_at  timestamptz not null default now(),
    settled_at   timestamptz,
    unique (school, kind, person, source, external_id)
);
