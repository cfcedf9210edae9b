"""Numbered SQL migrations: run at start under a lock, checksummed, never on a schema that is newer."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.database import Connection, Pool

_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_LOCK = 0x43555354  # "CUST"
_TABLE = """
create table if not exists public.migrations (
    component   text        not null,
    number      integer     not null,
    name        text        not null,
    checksum    text        not null,
    applied_at  timestamptz not null default now(),
    primary key (component, number)
)
"""


class SchemaTooNew(Exception):
    def __init__(self, component: str, number: int) -> None:
        super().__init__(
            f"the database has migration {number} of {component}, which this release does not know: "
            "start the newer release, or restore a backup from before the upgrade"
        )


class MigrationChanged(Exception):
    def __init__(self, component: str, name: str) -> None:
        super().__init__(f"migration {component}/{name} was changed after it ran here: migrations are frozen")


class SchemaTooOld(Exception):
    def __init__(self, component: str, name: str) -> None:
        super().__init__(
            f"migration {component}/{name} has not run: run `python -m deploy.migrate`, or start with `custode up`"
        )


@dataclass(frozen=True, slots=True)
class Migration:
    component: str
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(component: str, folder: Path) -> list[Migration]:
    """The migrations of a folder in order; `ValueError` when a number is missing or stands twice."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            raise ValueError(f"{path.name}: migrations are named 0001_what_it_does.sql")
        found.append(Migration(component, int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations of {component} are not numbered 1..{len(found)} without gaps")
    return found


async def migrate(
    url: str, components: Sequence[tuple[str, Path]], *, service_role: str | None = None
) -> list[Migration]:
    """Run what is missing, each in a transaction of its own; returns what ran. Concurrent starts wait."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        if service_role is not None:
            await connection.execute("select set_config('custode.service_role', $1, false)", service_role)
            await connection.execute(f'grant select on public.migrations to "{service_role}"')
        missing = await _missing(connection, components)
        for migration in missing:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "insert into public.migrations (component, number, name, checksum) values ($1, $2, $3, $4)",
                    migration.component,
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
        return missing
    finally:
        await connection.close()


async def check(connection: Connection | Pool, components: Sequence[tuple[str, Path]]) -> None:
    """Raise when the schema is not exactly the one that this release knows."""
    for migration in await _missing(connection, components):
        raise SchemaTooOld(migration.component, migration.name)


async def _missing(connection: Connection | Pool, components: Sequence[tuple[str, Path]]) -> list[Migration]:
    rows = await connection.fetch("select component, number, name, checksum from public.migrations")
    applied = {(row["component"], row["number"]): row for row in rows}
    missing = []
    for component, folder in components:
        known = read_migrations(component, folder)
        newest = max((n for c, n in applied if c == component), default=0)
        if newest > len(known):
            raise SchemaTooNew(component, newest)
        for migration in known:
            row = applied.get((component, migration.number))
            if row is None:
                missing.append(migration)
            elif row["checksum"] != migration.checksum:
                raise MigrationChanged(component, migration.name)
    return missing
