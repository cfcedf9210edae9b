"""The migrations, as a step of their own before the services start: `python -m deploy.migrate`.

This process alone is told the URLs of the databases' owners (`CUSTODE_KEYRING_MIGRATION_URL`,
`CUSTODE_REGISTRY_MIGRATION_URL`, …). The services are told their runtime roles, which can neither change the schema nor
drop what keeps history as it is, and they wait until this has run. Repeating it changes nothing; two at once
wait for each other. A database whose URL is not given is left alone.
"""

import asyncio
import sys
from pathlib import Path

import asyncpg
import structlog
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import migrations
from shared.logging import configure_logging
from shared.migrations import MigrationChanged, SchemaTooNew, SchemaTooOld
from shared.settings import Environment, LogFormat

log = structlog.get_logger()
ROOT = Path(__file__).parents[1]
KERNEL = ROOT / "shared"
SCHEMA_ERRORS = (MigrationChanged, SchemaTooNew, SchemaTooOld)
_SERVICES = ("registry", "identity", "notifications")
_WAIT_SECONDS = 60


class MigrationSettings(BaseSettings):
    """The owners' URLs; each holds a password."""

    model_config = SettingsConfigDict(env_prefix="CUSTODE_", extra="ignore", env_ignore_empty=True)
    environment: Environment = Environment.development
    log_format: LogFormat = LogFormat.auto
    keyring_migration_url: SecretStr | None = None
    registry_migration_url: SecretStr | None = None
    identity_migration_url: SecretStr | None = None
    notifications_migration_url: SecretStr | None = None

    def url(self, database: str) -> str | None:
        given: SecretStr | None = getattr(self, f"{database}_migration_url")
        return given.get_secret_value() if given is not None else None


async def migrate(settings: MigrationSettings, *, wait_seconds: int = _WAIT_SECONDS) -> dict[str, int]:
    """How many migrations ran, by database. The keyring comes first: a service that finds its own schema current
    finds the keyring's current too.

    Errors: those of `shared.migrations.migrate`; OSError or asyncpg's when a server does not answer in time.
    """
    ran = {}
    for database in ("keyring", *_SERVICES):
        if (url := settings.url(database)) is not None:
            ran[database] = await _patiently(database, url, wait_seconds)
            log.info("migrations.ran", database=database, count=ran[database])
    return ran


async def _patiently(database: str, url: str, seconds: int) -> int:
    while True:
        try:
            return await _one(database, url)
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as fault:
            if seconds <= 0:
                raise
            log.info("migrations.wait", database=database, error=type(fault).__name__)
            seconds -= 1
            await asyncio.sleep(1.0)


async def _one(database: str, url: str) -> int:
    if database == "keyring":
        return len(await migrations.migrate(url, [("keyring", KERNEL / "keyring" / "migrations")]))
    components = [
        ("eventstore", KERNEL / "eventstore" / "migrations"),
        (database, ROOT / "services" / database / "migrations"),
    ]
    return len(await migrations.migrate(url, components, service_role=database))


def main() -> int:
    """The step; returns its exit code."""
    settings = MigrationSettings()
    configure_logging("migrate", settings.environment, settings.log_format)
    try:
        asyncio.run(migrate(settings))
    except SCHEMA_ERRORS as wrong:
        sys.stderr.write(f"error: {wrong}\n")
        return 1
    except (OSError, asyncpg.PostgresError) as fault:
        sys.stderr.write(f"error: the migrations did not run: {type(fault).__name__}: {fault}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
