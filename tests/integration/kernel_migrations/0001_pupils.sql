create table projections.pupils (
    student     text primary key,
    class_id    text,
    family      text,
    moves       integer not null default 0
);
