"""Rebuild of all projections of a service from the histories they come from, beside the live ones (DESIGN 4).

Catch up beside the live tables, take the head lock, apply the rest, switch. Readers and writers go on meanwhile;
they wait only for the last, short step. With `switch=False` the rebuilt tables are compared and thrown away.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import asyncpg

from shared.contracts.event import Event, Recorded
from shared.database import Connection
from shared.eventstore.projection import Project
from shared.eventstore.shadow import Filling, Shadow
from shared.eventstore.store import EventStore
from shared.sql import Statements
from shared.tasks import end

SQL = Statements(__file__)
_BATCH = 4000
_TRIES = 10
Foreign = Callable[[str, int, int], AsyncIterator[list[Recorded[Event]]]]
"""(source, after, upto) -> the events of another service's stream, in batches."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`differences`: rows that stand in only one of live and rebuilt, by table; empty when all is well."""

    events: int
    differences: Mapping[str, int]
    switched: bool


class Rebuild:
    """Opens events while PostgreSQL writes the rows of those before."""

    def __init__(self, store: EventStore, project: Project, owner_url: str, foreign: Foreign) -> None:
        self._store = store
        self._project = project
        self._owner_url = owner_url
        self._foreign = foreign
        self._own = 0
        self._others: dict[str, int] = {}
        self._events = 0
        self._waiting: list[Recorded[Event]] = []
        self._writing: asyncio.Task[None] | None = None

    async def run(self, *, service_role: str, switch: bool = True) -> Rebuilt:
        # Until the switch nothing is lost that could not be made again: no write waits for the disk.
        settings = {"lock_timeout": "5s", "synchronous_commit": "off", "jit": "off"}
        connection = await asyncpg.connect(self._owner_url, server_settings=settings)
        try:
            shadow = await Shadow.made(connection)
            self._projector = Filling(self._project, shadow)
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
        finally:
            await end(self._writing)
            await connection.close()

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
                await end(self._writing)
                self._writing, self._waiting = None, []
                self._own, self._others, self._events = before
                if not tries_left:
                    raise
                await asyncio.sleep(1.0)

    async def _catch_up(self, connection: Connection, head: int, cursors: Mapping[str, int]) -> None:
        """As it was lived: before an event of ours, what we had read of the others (its `seen`)."""
        async with aclosing(self._store.replay(self._own, head, _BATCH)) as batches:
            async for batch in batches:
                for recorded in batch:
                    ahead = {s: p for s, p in recorded.seen.items() if p > self._others.get(s, 0)}
                    if ahead:
                        await self._read_others(connection, ahead)
                    self._waiting.append(recorded)
                await self._write(connection)
                self._own = batch[-1].position
        await self._read_others(connection, cursors)
        await self._write(connection)
        await self._written()

    async def _read_others(self, connection: Connection, upto: Mapping[str, int]) -> None:
        """Among the others, too, cause comes before consequence."""
        for source, position in upto.items():
            async for batch in self._foreign(source, self._others.get(source, 0), position):
                for recorded in batch:
                    earlier = {
                        s: min(p, upto.get(s, 0))
                        for s, p in recorded.seen.items()
                        if s in upto and s != source and min(p, upto[s]) > self._others.get(s, 0)
                    }
                    if earlier:
                        await self._read_others(connection, earlier)
                    if recorded.position > self._others.get(source, 0):
                        self._waiting.append(recorded)
                        self._others[source] = recorded.position
                if len(self._waiting) >= _BATCH:
                    await self._write(connection)

    async def _write(self, connection: Connection) -> None:
        """Begin to write what waits, in its order, once what was begun before is done."""
        await self._written()
        if self._waiting:
            self._events += len(self._waiting)
            self._writing = asyncio.create_task(self._projector.apply(connection, self._waiting))
            self._waiting = []

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing


async def _standing(connection: Connection) -> tuple[int, dict[str, int]]:
    row = await connection.fetchrow(SQL("standing"))
    assert row is not None
    return row["head"], json.loads(row["cursors"])
