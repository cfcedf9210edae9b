-- A message without a secret, for one recipient: a reminder of credentials, or a circular (`about`).
create table projections.notices_v1 (
    notice        text primary key,
    school        text not null,
    kind          text not null,
    holder        text not null,
    about         text not null,
    account       text,
    number        integer not null,
    status        text not null,
    problem       text,
    code          integer,
    attempts      integer not null,
    retry_at      timestamptz,
    requested_at  timestamptz not null,
    changed_at    timestamptz not null,
    correlation   text not null,
    cause         text not null
);
create index notices_about on projections.notices_v1 (about);
create index notices_due on projections.notices_v1 (requested_at, notice)
    where status in ('requested', 'attempting', 'deferred');

create table projections.circulars_v1 (
    circular       text primary key,
    school         text not null,
    year           text not null,
    number         text not null,
    day            date not null,
    subject        text not null,
    text           text not null,
    signed_by      text not null,
    audiences      jsonb not null,
    classes        jsonb not null,
    sizes          jsonb not null,
    published_at   timestamptz not null,
    withdrawn_at   timestamptz,
    withdrawn_for  text
);
create index circulars_of_school on projections.circulars_v1 (school, day);

create table projections.circular_reads_v1 (
    circular  text not null,
    holder    text not null,
    audience  text not null,
    read_at   timestamptz not null,
    primary key (circular, holder)
);
create index circular_reads_of_holder on projections.circular_reads_v1 (holder);

create table projections.letterheads_v1 (
    school  text primary key,
    head    jsonb not null,
    foot    jsonb not null
);

-- A school's own words for one message in one language; null for a part that stays as it comes.
create table projections.mail_words_v1 (
    school    text not null,
    template  text not null,
    language  text not null,
    subject   text,
    opening   text,
    closing   text,
    primary key (school, template, language)
);

-- In which language somebody wishes to read; it stands before the one that the school's system gave.
create table projections.chosen_languages_v1 (
    holder    text primary key,
    language  text not null
);

-- Who works at the school, as the registry says: whom circulars reach.
create table projections.staff_members_v1 (
    person       text primary key,
    school       text not null,
    kind         text not null,
    family_name  text,
    given_name   text,
    email        text,
    left_at      timestamptz
);
create index staff_members_of_school on projections.staff_members_v1 (school);

-- A circular that is still being written: nothing has happened yet, so there is no event. `circular`: what it became.
create table private.circular_drafts (
    draft       text primary key,
    school      text not null,
    content     jsonb not null,
    author      text not null,
    updated_at  timestamptz not null,
    circular    text
);
create index circular_drafts_of_school on private.circular_drafts (school);
