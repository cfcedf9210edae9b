-- Every adoption of a policy: the local day from which it is in force; who adopted it, when, and why.
create table projections.policy_versions_v1 (
    school         text,
    position       bigint,
    in_force_from  date        not null,
    policy         jsonb       not null,
    reason         text        not null,
    adopted_by     text        not null,
    adopted_at     timestamptz not null,
    primary key (school, position)
);

-- What stood until now, as the upcaster reads it, out of the history itself.
insert into projections.policy_versions_v1
    (school, position, in_force_from, policy, reason, adopted_by, adopted_at)
select e.school, e.position,
       ((told.entry ->> 'time')::timestamptz at time zone 'Europe/Rome')::date,
       (told.entry #> '{data,policy}')
           || '{"guardians_of_age": "keep", "reminder_days": null, "staff_password_only_until": "9999-12-31"}',
       told.entry #>> '{data,reason}',
       told.entry ->> 'actor',
       (told.entry ->> 'time')::timestamptz
from events.entries e
cross join lateral (select convert_from(e.entry, 'UTF8')::jsonb as entry) told
where e.stream like 'school/%'
  and told.entry ->> 'type' = 'custode.registry.CredentialPolicyAdopted.v1';

alter table projections.schools_v1 drop column policy, drop column policy_reason;
