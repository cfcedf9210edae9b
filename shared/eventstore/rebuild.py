"""Rebuild of all projections of a service from the histories they come from, beside the live ones (DESIGN 4).

Catch up beside the live tables, take the head lock, apply the rest, switch. Readers and writers go on meanwhile;
they wait only for the last, short step. With `switch=False` the rebuilt tables are compared and thrown away.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from shared.contracts.decoding import position_in, seen_in
from shared.database import Connection
from shared.eventstore.projection import Project
from shared.eventstore.rebuild_workers import Workers
from shared.eventstore.shadow import Filling, Prepared, Shadow
from shared.eventstore.store import EventStore
from shared.sql import Statements

SQL = Statements(__file__)
_BATCH = 4000
_TRIES = 10
_SETTINGS = {
    "lock_timeout": "5s",
    # Until the switch nothing is lost that could not be made again: no write waits for the disk.
    "synchronous_commit": "off",
    "jit": "off",
    "maintenance_work_mem": "256MB",
}
Foreign = Callable[[str, int, int], AsyncIterator[Sequence[bytes]]]
"""(source, after, upto) -> the entries of another service's stream, in batches."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`differences`: rows that stand in only one of live and rebuilt, by table; empty when all is well."""

    events: int
    differences: Mapping[str, int]
    switched: bool


class Rebuild:
    """Reads and writes here, in the order of history; what the events say is found out by workers meanwhile.

    `keyring_url`: where the workers look up keys.
    """

    def __init__(
        self, store: EventStore, project: Project, owner_url: str, keyring_url: str, foreign: Foreign
    ) -> None:
        self._store = store
        self._project = project
        self._owner_url = owner_url
        self._keyring_url = keyring_url
        self._foreign = foreign
        self._own = 0
        self._others: dict[str, int] = {}
        self._events = 0
        self._waiting: list[bytes] = []
        self._preparing: deque[asyncio.Task[list[Prepared]]] = deque()

    async def run(self, *, service_role: str, switch: bool = True) -> Rebuilt:
        connection = await asyncpg.connect(self._owner_url, server_settings=_SETTINGS)
        try:
            shadow = await Shadow.made(connection)
            self._filling = Filling(self._project, shadow)
            await self._filling.look(connection)
            async with Workers(self._filling, self._keyring_url, self._store.keyring.kek) as self._workers:
                try:
                    return await self._rebuilt(connection, shadow, service_role, switch=switch)
                finally:
                    for task in self._preparing:
                        task.cancel()
                    await asyncio.gather(*self._preparing, return_exceptions=True)
        finally:
            await connection.close()

    async def _rebuilt(
        self, connection: asyncpg.Connection, shadow: Shadow, service_role: str, *, switch: bool
    ) -> Rebuilt:
        await self._catch_up(connection, *await _standing(connection))
        await shadow.completed(connection)
        # One snapshot for where the live tables stand and what they hold: nobody waits for the comparison.
        async with connection.transaction(isolation="repeatable_read"):
            await self._catch_up(connection, *await _standing(connection))
            differences = await shadow.differences(connection)
        if switch:
            await self._take_their_place(connection, shadow, service_role)
        await shadow.dropped(connection)
        return Rebuilt(self._events, differences, switch)

    async def _take_their_place(self, connection: Connection, shadow: Shadow, service_role: str) -> None:
        """Head lock, the rest, switch. A long reader of a live table makes us step back and try again."""
        for tries_left in reversed(range(_TRIES)):
            before = self._own, dict(self._others), self._events
            try:
                async with connection.transaction():
                    await connection.execute("set local synchronous_commit to on")
                    await connection.fetchval("select position from events.head for update")
                    listed = ", ".join(f'projections."{table}"' for table in shadow.tables)
                    await connection.execute(f"lock table {listed} in access exclusive mode")
                    await self._catch_up(connection, *await _standing(connection))
                    await shadow.switched(connection, service_role)
                return
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                await asyncio.gather(*self._preparing, return_exceptions=True)
                self._preparing.clear()
                self._waiting = []
                self._own, self._others, self._events = before
                if not tries_left:
                    raise
                await asyncio.sleep(1.0)

    async def _catch_up(self, connection: Connection, head: int, cursors: Mapping[str, int]) -> None:
        """As it was lived: before an event of ours, what we had read of the others (its `seen`)."""
        async for page in self._store.replay_entries(self._own, head, _BATCH):
            for _, entry in page:
                seen = seen_in(entry)
                ahead = {s: p for s, p in seen.items() if p > self._others.get(s, 0)} if seen else None
                if ahead:
                    await self._read_others(connection, ahead)
                self._waiting.append(entry)
            await self._prepare(connection)
            self._own = page[-1][0]
        await self._read_others(connection, cursors)
        await self._prepare(connection)
        while self._preparing:
            await self._write(connection)

    async def _read_others(self, connection: Connection, upto: Mapping[str, int]) -> None:
        """Among the others, too, cause comes before consequence."""
        for source, position in upto.items():
            async for batch in self._foreign(source, self._others.get(source, 0), position):
                for entry in batch:
                    earlier = {
                        s: min(p, upto.get(s, 0))
                        for s, p in seen_in(entry).items()
                        if s in upto and s != source and min(p, upto[s]) > self._others.get(s, 0)
                    }
                    if earlier:
                        await self._read_others(connection, earlier)
                    at = position_in(entry)
                    if at > self._others.get(source, 0):
                        self._waiting.append(entry)
                        self._others[source] = at
                if len(self._waiting) >= _BATCH:
                    await self._prepare(connection)

    async def _prepare(self, connection: Connection) -> None:
        """Begin to prepare what waits; write what was begun before, so that no more than the workers can do waits."""
        if self._waiting:
            self._events += len(self._waiting)
            preparing = self._workers.prepare(self._waiting, self._filling.repeating)
            self._preparing.append(asyncio.create_task(preparing))
            self._waiting = []
        while len(self._preparing) > self._workers.at_once:
            await self._write(connection)

    async def _write(self, connection: Connection) -> None:
        """In the order in which it was begun."""
        preparing = self._preparing[0]
        prepared = await asyncio.shield(preparing)
        self._preparing.popleft()
        for rows in prepared:
            await self._filling.write(connection, rows)


async def _standing(connection: Connection) -> tuple[int, dict[str, int]]:
    row = await connection.fetchrow(SQL("standing"))
    assert row is not None
    return row["head"], json.loads(row["cursors"])
