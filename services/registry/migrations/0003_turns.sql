-- Whose turn it is to take enrolments into a school. The advisory lock only makes others wait; it is gone with its
-- connection. What is decided under it commits only while the token that was set with it still stands.
create table private.turns (
    school  text primary key,
    token   uuid not null
);

create function private.take_turn(of_school text, by uuid) returns boolean language plpgsql as $$
begin
    if not pg_try_advisory_lock(hashtextextended('intake:' || of_school, 0)) then
        return false;
    end if;
    -- Waits for the commit of whoever lost the lock and not yet the turn.
    insert into private.turns (school, token) values (of_school, by)
        on conflict (school) do update set token = excluded.token;
    return true;
end $$;

create function private.same_turn(standing uuid, believed uuid) returns uuid language plpgsql as $$
begin
    if standing <> believed then
        raise exception 'another has taken the turn'
            using errcode = 'serialization_failure', hint = 'decide again on what stands now';
    end if;
    return standing;
end $$;
