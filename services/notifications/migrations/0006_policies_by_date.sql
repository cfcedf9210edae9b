-- Every adoption of a policy, with the local day from which it is in force.
create table projections.policy_versions_v1 (
    school         text,
    position       bigint,
    in_force_from  date  not null,
    policy         jsonb not null,
    primary key (school, position)
);

-- What stood until now, as the upcaster reads it; a rebuild puts the histories' own rows in its place.
insert into projections.policy_versions_v1 (school, position, in_force_from, policy)
select school, 0, date '0001-01-01',
       policy || '{"guardians_of_age": "keep", "reminder_days": null, "staff_password_only_until": "9999-12-31"}'
from projections.schools_v1
where policy <> '{}';

alter table projections.schools_v1 drop column policy;
