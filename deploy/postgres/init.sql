-- Databases and roles, for the embedded server and for the container alike. Run by psql as the superuser,
-- with the roles' passwords in the environment; running it again changes nothing but the passwords.
--
--   database       owner (runs migrations)   at run time
--   registry       registry_owner            registry
--   identity       identity_owner            identity
--   notifications  notifications_owner       notifications
--   keyring        keyring_owner             registry, identity, notifications (rights: see its migrations)
\set ON_ERROR_STOP on
\set ECHO none
set log_statement = 'none';
set log_min_error_statement = 'panic';
set password_encryption = 'scram-sha-256';

\getenv registry CUSTODE_PASSWORD_REGISTRY
\getenv registry_owner CUSTODE_PASSWORD_REGISTRY_OWNER
\getenv identity CUSTODE_PASSWORD_IDENTITY
\getenv identity_owner CUSTODE_PASSWORD_IDENTITY_OWNER
\getenv notifications CUSTODE_PASSWORD_NOTIFICATIONS
\getenv notifications_owner CUSTODE_PASSWORD_NOTIFICATIONS_OWNER
\getenv keyring_owner CUSTODE_PASSWORD_KEYRING_OWNER

select format('create role %I login nosuperuser nocreatedb nocreaterole noreplication', role)
from unnest(array[
    'registry', 'registry_owner', 'identity', 'identity_owner',
    'notifications', 'notifications_owner', 'keyring_owner'
]) as role
where not exists (select from pg_roles where rolname = role)
\gexec

alter role registry password :'registry';
alter role registry_owner password :'registry_owner';
alter role identity password :'identity';
alter role identity_owner password :'identity_owner';
alter role notifications password :'notifications';
alter role notifications_owner password :'notifications_owner';
alter role keyring_owner password :'keyring_owner';

select format('create database %I owner %I template template0 encoding ''UTF8''', name, name || '_owner')
from unnest(array['registry', 'identity', 'notifications', 'keyring']) as name
where not exists (select from pg_database where datname = name)
\gexec

-- Nobody enters a database that is not theirs, nor the two that come with the server.
revoke all on database postgres from public;
revoke all on database template1 from public;
revoke all on database registry from public;
revoke all on database identity from public;
revoke all on database notifications from public;
revoke all on database keyring from public;
grant connect on database registry to registry;
grant connect on database identity to identity;
grant connect on database notifications to notifications;
grant connect on database keyring to registry, identity, notifications;
