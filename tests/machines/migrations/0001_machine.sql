create table projections.pupils (
    student   text     primary key,
    class_id  text,
    family    text,
    moves     integer  not null default 0
);

create table projections.steps (
    stream    text     not null,
    version   integer  not null,
    class_id  text     not null check (class_id not like 'refused%'),
    primary key (version, stream)
);

-- What units write beside their events: a row each, never two under one name.
create table private.ledger (
    unit  text  primary key
);
