create table projections.pupils (
    student     text primary key,
    class_id    text,
    family      text,
    moves       integer not null default 0
);

create index pupils_by_class on projections.pupils (class_id);
create index pupils_moved on projections.pupils (class_id) where moves > 0;
