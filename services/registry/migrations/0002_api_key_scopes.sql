-- What a key may do, and when it was last used (to the minute), so that a school can tell which it still needs.
alter table private.api_keys
    add column scopes text[] not null default '{enrol,import}'
        check (cardinality(scopes) > 0 and scopes <@ array['enrol', 'import', 'read']),
    add column last_used_at timestamptz;
alter table private.api_keys alter column scopes drop default;
