"""Rebuild of all projections of a service from the histories they come from, beside the live ones (DESIGN 4).

Catch up beside the live tables, take the head lock, apply the rest, switch. Readers and writers go on meanwhile;
they wait only for the last, short step. With `switch=False` the rebuilt tables are compared and thrown away.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from shared.contracts.event import Event, Recorded
from shared.database import Connection
from shared.eventstore.projection import Project, Projector
from shared.eventstore.store import EventStore
from shared.sql import Statements

log = structlog.get_logger()
SQL = Statements(__file__)
_SHADOW = "rebuilding"
_BATCH = 2000
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
    def __init__(self, store: EventStore, project: Project, owner_url: str, foreign: Foreign) -> None:
        self._store = store
        self._projector = Projector(project, schema=_SHADOW)
        self._owner_url = owner_url
        self._foreign = foreign
        self._own = 0
        self._others: dict[str, int] = {}
        self._events = 0

    async def run(self, *, service_role: str, switch: bool = True) -> Rebuilt:
        connection = await asyncpg.connect(self._owner_url, server_settings={"lock_timeout": "5s"})
        try:
            tables = await self._shadow(connection)
            await self._catch_up(connection, *await _standing(connection))
            # One snapshot for where the live tables stand and what they hold: nobody waits for the comparison.
            async with connection.transaction(isolation="repeatable_read"):
                await self._catch_up(connection, *await _standing(connection))
                differences = await _differences(connection, tables)
            if switch:
                await self._take_their_place(connection, tables, service_role)
            await connection.execute(f"drop schema if exists {_SHADOW} cascade")
            return Rebuilt(self._events, differences, switch)
        finally:
            await connection.close()

    async def _take_their_place(
        self, connection: Connection, tables: Sequence[str], service_role: str
    ) -> None:
        """Head lock, the rest, switch. A long reader of a live table makes us step back and try again."""
        for tries_left in reversed(range(_TRIES)):
            before = self._own, dict(self._others), self._events
            try:
                async with connection.transaction():
                    await connection.fetchval("select position from events.head for update")
                    listed = ", ".join(f'projections."{table}"' for table in tables)
                    await connection.execute(f"lock table {listed} in access exclusive mode")
                    await self._catch_up(connection, *await _standing(connection))
                    await _switch(connection, tables, service_role)
                return
            except asyncpg.LockNotAvailableError:
                self._own, self._others, self._events = before
                if not tries_left:
                    raise
                await asyncio.sleep(1.0)

    async def _shadow(self, connection: Connection) -> Sequence[str]:
        tables = [row["table_name"] for row in await connection.fetch(SQL("shadow_tables"))]
        await connection.execute(f"drop schema if exists {_SHADOW} cascade; create schema {_SHADOW}")
        for table in tables:
            await connection.execute(
                f'create table {_SHADOW}."{table}" (like projections."{table}" including all)'
            )
        return tables

    async def _catch_up(self, connection: Connection, head: int, cursors: Mapping[str, int]) -> None:
        """As it was lived: before an event of ours, what we had read of the others (its `seen`)."""
        async for batch in self._store.replay(self._own, head, _BATCH):
            waiting: list[Recorded[Event]] = []
            for recorded in batch:
                ahead = {s: p for s, p in recorded.seen.items() if p > self._others.get(s, 0)}
                if ahead:
                    await self._apply(connection, waiting)
                    waiting = []
                    await self._read_others(connection, ahead)
                waiting.append(recorded)
            await self._apply(connection, waiting)
            self._own = batch[-1].position
        await self._read_others(connection, cursors)

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
                        await self._apply(connection, [recorded])
                        self._others[source] = recorded.position

    async def _apply(self, connection: Connection, events: Sequence[Recorded[Event]]) -> None:
        if events:
            await self._projector.apply(connection, events)
            self._events += len(events)


async def _standing(connection: Connection) -> tuple[int, dict[str, int]]:
    row = await connection.fetchrow(SQL("standing"))
    assert row is not None
    return row["head"], json.loads(row["cursors"])


async def _differences(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    found = {}
    for table in tables:
        live, rebuilt = f'projections."{table}"', f'{_SHADOW}."{table}"'
        count = await connection.fetchval(
            f"select count(*) from ((table {live} except table {rebuilt}) "  # noqa: S608
            f"union all (table {rebuilt} except table {live})) d"
        )
        if count:
            found[table] = int(count)
    return found


async def _switch(connection: Connection, tables: Sequence[str], service_role: str) -> None:
    for table in tables:
        names = [r["name"] for r in await connection.fetch(SQL("index_names"), f'projections."{table}"')]
        made = [r["name"] for r in await connection.fetch(SQL("index_names"), f'{_SHADOW}."{table}"')]
        await connection.execute(f'drop table projections."{table}"')
        await connection.execute(f'alter table {_SHADOW}."{table}" set schema projections')
        for old, new in zip(made, names, strict=True):
            if old != new:
                await connection.execute(f'alter index projections."{old}" rename to "{new}"')
        await connection.execute(
            f'grant select, insert, update, delete on projections."{table}" to "{service_role}"'
        )
