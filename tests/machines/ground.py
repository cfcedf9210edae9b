"""Where the machines play: an event loop, databases of their own, copies of a service over one of them."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from deploy.engines import PostgresEngine
from shared import migrations
from shared.contracts.event import Event, Recorded
from shared.database import open_pool
from shared.eventstore.batcher import Batcher
from shared.eventstore.commands import Commands
from shared.eventstore.projection import Project, Projector
from shared.eventstore.rebuild import Rebuild
from shared.eventstore.store import EventStore
from shared.keyring.keyring import KeyEncryptionKey, Keyring
from shared.runtime import KERNEL
from tests import databases

T = TypeVar("T")
_TABLES = Path(__file__).parent / "migrations"
_numbers = itertools.count(1)


@dataclass
class Copy:
    """One copy of a service: its own pools, caches and batcher over the common database."""

    store: EventStore
    commands: Commands
    batcher: Batcher
    name: str
    keys: asyncpg.Pool

    async def close(self) -> None:
        await asyncio.wait_for(asyncio.gather(self.store.pool.close(), self.keys.close()), 10)


async def own_keyring(postgres: PostgresEngine) -> str:
    """A new keyring's database: people of fixed ids must not be given another test's keys."""
    name = f"machine_keyring_{os.getpid()}_{next(_numbers)}"
    connection = await asyncpg.connect(postgres.admin_url())
    try:
        await connection.execute(f'create database "{name}" owner keyring_owner')
    finally:
        await connection.close()
    url = postgres.role_url("keyring_owner", name)
    await migrations.migrate(url, [("keyring", KERNEL / "keyring" / "migrations")])
    return name


@dataclass
class Ground:
    """The event loop of a machine, and the databases that it plays on."""

    postgres: PostgresEngine
    kek: KeyEncryptionKey
    runner: asyncio.Runner
    service: str = "registry"
    component: str = "machine"
    tables: Path = _TABLES
    keyring: str = "keyring"
    """The database that the keys of people are in."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def database(self) -> str:
        return await databases.create(self.postgres, self.service, (self.component, self.tables))

    async def drop(self, database: str) -> None:
        await databases.drop(self.postgres, database)

    async def copy(self, database: str, project: Project) -> Copy:
        name = f"copy {next(_numbers)}"
        pool = await open_pool(self.postgres.role_url(self.service, database), name=name, most=4)
        keys = await open_pool(self.postgres.role_url(self.service, self.keyring), name=name, most=2)
        store = EventStore(self.service, pool, Keyring(keys, self.kek), Projector(project))
        return Copy(store, Commands(store), Batcher(store), name, keys)

    def rebuild(
        self, copy: Copy, database: str, project: Project, history: Sequence[Recorded[Event]]
    ) -> Rebuild:
        async def foreign(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
            assert source == "identity"
            for start in range(after, upto, 3):
                yield [recorded.entry for recorded in history[start : min(start + 3, upto)]]

        owner = self.postgres.role_url(f"{self.service}_owner", database)
        keyring = self.postgres.role_url(self.service, self.keyring)
        return Rebuild(copy.store, project, owner, keyring, foreign)

    async def cut(self, copy: Copy) -> None:
        """End every connection that this copy has to its database, as a failing network does."""
        await self._admin(
            f"select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{copy.name}'"  # noqa: S608
        )

    async def _admin(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres.admin_url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
