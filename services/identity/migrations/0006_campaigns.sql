-- Campaigns that hold back whom they cover: planned and not open yet, or paused (E1). One that is open, or has ended, holds
-- nobody. `roles` are those of the policy; no classes: the whole school.
create table projections.campaigns_v1 (
    campaign  text primary key,
    school    text    not null,
    roles     jsonb   not null,
    classes   jsonb   not null,
    opened    boolean not null,
    holds     boolean not null
);
create index campaigns_v1_holding on projections.campaigns_v1 (school) where holds;

-- In which class a pupil is in a year.
create table projections.places_v1 (
    student   text,
    year      text,
    class_id  text not null,
    primary key (student, year)
);

-- Secrets that were claimed at least once: what was never claimed was never delivered.
create table projections.claimed_v1 (
    credential  text primary key
);

-- Whether one of these classes is a holder's: a guardian's through their children.
create function private.in_classes(classes jsonb, which_holder text) returns boolean
language sql stable as $$
    select classes = '[]' or exists (
        select from projections.places_v1 place
        join projections.enrolments_v1 e using (student, year)
        where not e.ended and classes ? place.class_id and (place.student = which_holder or place.student in (
            select g.student from projections.guardianships_v1 g where g.guardian = which_holder and g.data_access
        ))
    )
$$;

-- For which of the policy's roles a holder is held back by a campaign.
create function private.held_roles(which_school text, which_holder text) returns jsonb
language sql stable as $$
    select coalesce(jsonb_agg(distinct role), '[]')
    from projections.campaigns_v1 c, jsonb_array_elements_text(c.roles) role
    where c.school = which_school and c.holds and private.in_classes(c.classes, which_holder)
$$;
