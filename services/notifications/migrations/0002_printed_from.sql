-- From which class a slip was printed last: a parent of children in several classes signs where the slip is handed
-- over. Not told by the events; a slip without a row here may have been printed from any class of its holder's.
create table private.printed_from (
    delivery  text primary key,
    class_id  text not null
);
