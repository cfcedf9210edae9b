-- Campaigns as they stand (E1). `roles`, `classes`: whom they cover; no classes: the whole school.
create table projections.campaigns_v1 (
    campaign             text primary key,
    school               text not null,
    title                text not null,
    roles                jsonb not null,
    classes              jsonb not null,
    opens                timestamptz not null,
    per_domain_a_minute  integer,
    state                text not null,
    opened               boolean not null,
    planned_at           timestamptz not null,
    planned_by           text not null,
    opened_at            timestamptz,
    ended_at             timestamptz,
    reason               text,
    sent                 integer,
    failed               integer
);
create index campaigns_of_school on projections.campaigns_v1 (school, planned_at);

-- What was issued outside any campaign: to whom had lost their credentials.
create table projections.regenerated_v1 (
    account     text not null,
    generation  integer not null,
    primary key (account, generation)
);

-- Every message that came back (S4), and the last time that a delivery was sent anew (M8).
create table projections.bounces_v1 (
    delivery  text not null,
    attempt   integer not null,
    kind      text not null,
    status    text not null,
    at        timestamptz not null,
    primary key (delivery, attempt)
);

create table projections.resends_v1 (
    delivery  text primary key,
    number    integer not null,
    after     integer not null,
    reason    text not null,
    at        timestamptz not null
);

-- The address that stands instead of those given at enrolments (E3), and the pupils' mailboxes that receive (E8).
create table projections.corrected_addresses_v1 (
    guardian  text primary key,
    email     text not null
);

create table projections.mailboxes_v1 (
    student  text primary key,
    email    text not null
);

create table projections.births_v1 (
    student  text primary key,
    born     date
);

-- What closes a child to a guardian, from a local day on (M3, M9), beside what the school's system says.
-- kind: restricted, ended, reported.
create table projections.guardianship_limits_v1 (
    guardian  text not null,
    student   text not null,
    kind      text not null,
    since     date not null,
    primary key (guardian, student, kind)
);

-- Whether a guardian may see the data of a child today.
create function private.may_see(which_guardian text, which_student text, data_access boolean) returns boolean
language sql stable as $$
    select data_access and not exists (
        select from projections.guardianship_limits_v1 l
        where l.guardian = which_guardian and l.student = which_student
          and l.since <= (now() at time zone 'Europe/Rome')::date
    )
$$;

-- Whether this guardianship is no more today.
create function private.link_ended(which_guardian text, which_student text) returns boolean
language sql stable as $$
    select exists (
        select from projections.guardianship_limits_v1 l
        where l.guardian = which_guardian and l.student = which_student and l.kind = 'ended'
          and l.since <= (now() at time zone 'Europe/Rome')::date
    )
$$;

-- Whether a campaign for these roles and classes covers a holder: a guardian through the children whose data they may see.
create function private.covers(roles jsonb, classes jsonb, policy_role text, which_holder text) returns boolean
language sql stable as $$
    select roles ? policy_role and (classes = '[]' or exists (
        select from projections.places_v1 place
        where classes ? place.class_id and (place.student = which_holder or place.student in (
            select g.student from projections.guardianships_v1 g
            where g.guardian = which_holder and private.may_see(g.guardian, g.student, g.data_access)
        ))
    ))
$$;

-- Whether a mail waits because a campaign that covers its holder is paused. What was asked for before the campaign was
-- planned, or was granted to somebody who had lost their credentials, is none of its business.
create function private.held_back(
    which_school text, which_account text, which_generation integer, which_holder text, asked_at timestamptz
) returns boolean
language sql stable as $$
    select exists (
        select from projections.campaigns_v1 c
        join projections.accounts_v1 a on a.account = which_account
        where c.school = which_school and c.state in ('planned', 'paused') and c.planned_at <= asked_at
          and private.covers(c.roles, c.classes, a.policy_role, which_holder)
    ) and not exists (
        select from projections.regenerated_v1 r
        where r.account = which_account and r.generation = which_generation
    )
$$;

-- Which mails left for which domain in the last minute, so that a campaign keeps its pace also after a restart.
create table private.paced_mails (
    school  text not null,
    domain  text not null,
    at      timestamptz not null
);
create index paced_mails_at on private.paced_mails (at);
