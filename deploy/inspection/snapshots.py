"""The databases as of one moment each, and the bus, looked at from outside the services."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
from nats.aio.client import Client

from deploy.environment import Wiring
from shared.database import DATABASE_TROUBLES
from shared.messaging.bus import Bus, BusUnavailable
from shared.sql import Statements

SQL = Statements(__file__)
BATCH = 2000
_ORDER = ("notifications", "identity", "registry")
"""Readers before those they read: what a reader knows is in the snapshot that is taken after it."""
PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One service's database in a transaction that sees one moment (repeatable read, read only)."""

    service: str
    connection: asyncpg.Connection
    head: int
    cursors: Mapping[str, int]
    taken: datetime

    async def rows(self, statement: str, *arguments: object) -> AsyncIterator[list[asyncpg.Record]]:
        """The rows in batches, through a cursor of the server: memory stays constant."""
        cursor = await self.connection.cursor(SQL(statement), *arguments)
        while batch := await cursor.fetch(BATCH):
            yield batch


@dataclass
class Look:
    """One look at everything. `databases` lacks what could not be opened, `trouble` says why."""

    wiring: Wiring
    stack: AsyncExitStack
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    """Each store's head after all snapshots were taken: at least what any of them may have seen."""
    trouble: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Client] = field(default_factory=dict)

    async def client(self, service: str) -> Client:
        """The bus, as the service's own user. Errors: BusUnavailable."""
        if service not in self._clients:
            bus = Bus(self.wiring.nats_url, service, self.wiring.seed_file(service))
            bus.start()
            self.stack.push_async_callback(bus.close)
            try:
                self._clients[service] = await asyncio.wait_for(bus.connected(), PATIENCE)
            except TimeoutError:
                raise BusUnavailable from None
        return self._clients[service]

    async def live(self, service: str) -> asyncpg.Connection:
        """The database as it goes on, for what is append-only. Errors: OSError, asyncpg's."""
        return await self._open(self.wiring.urls(service).runtime)

    async def keyring(self, service: str) -> asyncpg.Connection:
        """The keyring as it goes on: a key is there before the entry that names it. Errors: as `live`."""
        return await self._open(self.wiring.urls(service).keyring)

    async def _open(self, url: str) -> asyncpg.Connection:
        connection = await _connect(url)
        self.stack.push_async_callback(connection.close)
        return connection


@asynccontextmanager
async def look_at(wiring: Wiring) -> AsyncIterator[Look]:
    """Snapshots of all three databases, readers first; closed at the end."""
    async with AsyncExitStack() as stack:
        look = Look(wiring, stack)
        for service in _ORDER:
            try:
                look.snapshots[service] = await _snapshot(wiring, service, stack)
            except (OSError, TimeoutError, asyncpg.PostgresError, *DATABASE_TROUBLES) as trouble:
                look.trouble[service] = f"the database does not answer ({type(trouble).__name__})"
        for service in look.snapshots:
            connection = await look.live(service)
            look.heads[service] = int(await connection.fetchval(SQL("head")))
        yield look


async def _snapshot(wiring: Wiring, service: str, stack: AsyncExitStack) -> Snapshot:
    connection = await _connect(wiring.urls(service).runtime)
    stack.push_async_callback(connection.close)
    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    row = await connection.fetchrow(SQL("standing"))
    assert row is not None
    cursors = {r["source"]: int(r["position"]) for r in await connection.fetch(SQL("cursors"))}
    return Snapshot(service, connection, int(row["head"]), cursors, row["taken"])


async def _connect(url: str) -> asyncpg.Connection:
    settings = {"application_name": "custode-doctor", "jit": "off"}
    return await asyncpg.connect(url, timeout=PATIENCE, server_settings=settings)
