"""The event store of one service: commit, load, replay (DESIGN 4). PostgreSQL is the truth."""

import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import orjson

from shared import faults
from shared.contracts.entry import decode, encode_data, parse, personal_subjects, sealed_keys
from shared.contracts.event import Event, Recorded, utcnow
from shared.database import Connection, Pool, Writing
from shared.eventstore.numbering import Encoded, Numbering
from shared.eventstore.projection import Projector
from shared.eventstore.units import (
    Committed,
    ConcurrencyConflict,
    Conflict,
    CursorMoved,
    Foreign,
    IdempotencyKey,
    KeyReused,
    Outcome,
    Repeated,
    Unit,
)
from shared.ids import new_id
from shared.keyring.keyring import HeldKeys, Keyring
from shared.sql import Statements

SQL = Statements(__file__)
_COPY_FROM = 200
"""Events from which COPY is cheaper than one INSERT (its extra round trips are paid back)."""
_COLUMNS = ("position", "school", "school_position", "stream", "stream_version", "entry")


class EventStore:
    """`commit` is the one write path. Projections run inline: who writes reads what it wrote."""

    def __init__(
        self,
        service: str,
        pool: Pool,
        keyring: Keyring,
        projector: Projector,
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        self.service = service
        self.pool = pool
        self.keyring = keyring
        self.clock = clock
        self.position = 0
        self.writing = Writing()
        self._projector = projector
        self._on_commit: list[Callable[[Sequence[Recorded[Event]]], None]] = []

    def on_commit(self, listener: Callable[[Sequence[Recorded[Event]]], None]) -> None:
        """Called after each commit that appended: the relay's doorbell, and workers that wait for news."""
        self._on_commit.append(listener)

    async def commit(
        self, units: Sequence[Unit], *, foreign: Foreign | None = None, atomic: bool = False
    ) -> list[Outcome]:
        """One transaction for all units: of those in conflict each loses alone, its neighbours go on.

        With `atomic`, or for a reader's batch (`foreign`), the first conflict ends all: `ConcurrencyConflict`.
        Raises `CursorMoved` when another reader was faster, `EntryTooLarge` for an entry over 65,535 bytes.
        """
        held = await self.keyring.prepare(
            personal_subjects(e for u in units for a in u.appends for e in a.events)
        )
        encoded = [_encode(unit, held) for unit in units]
        async with self.writing, self.pool.acquire() as connection, connection.transaction():
            outcomes = await self._write(
                connection, units, encoded, foreign, atomic=atomic or foreign is not None
            )
            faults.reach(faults.Point.before_commit)
        faults.reach(faults.Point.after_commit)
        appended = [r for o in outcomes if isinstance(o, Committed) for r in o.events]
        if appended:
            self.position = appended[-1].position
        if appended or foreign is not None:
            for listener in self._on_commit:
                listener(appended)
        return outcomes

    async def load(self, streams: Collection[str]) -> dict[str, list[Recorded[Event]]]:
        """The events of these streams, in order; a stream without events is not in the answer."""
        rows = await self.pool.fetch(SQL("load_streams"), list(streams))
        loaded: dict[str, list[Recorded[Event]]] = {}
        for recorded in await self.decode([row["entry"] for row in rows]):
            loaded.setdefault(recorded.stream, []).append(recorded)
        return loaded

    async def decode(self, entries: Sequence[bytes]) -> list[Recorded[Event]]:
        """Typed events from entries of any service, personal parts opened."""
        envelopes = [parse(entry) for entry in entries]
        keys = sealed_keys(envelopes)
        held = await self.keyring.load(keys) if keys else HeldKeys(())
        return [decode(entry, env, held) for entry, env in zip(entries, envelopes, strict=True)]

    async def replay(
        self, after: int = 0, upto: int | None = None, batch: int = 1000
    ) -> AsyncIterator[list[Recorded[Event]]]:
        """All events in order, in batches: memory stays constant however long the history."""
        async for entries in self.replay_entries(after, upto, batch):
            yield await self.decode([entry for _, entry in entries])

    async def replay_entries(
        self, after: int = 0, upto: int | None = None, batch: int = 1000
    ) -> AsyncIterator[list[tuple[int, bytes]]]:
        """The same, as (position, bytes): nothing is parsed or opened."""
        end = await self.head() if upto is None else upto
        while after < end:
            rows = await self.pool.fetch(SQL("replay"), after, end, batch)
            if not rows:
                return
            yield [(row["position"], row["entry"]) for row in rows]
            after = rows[-1]["position"]

    async def head(self) -> int:
        return int(await self.pool.fetchval(SQL("head")))

    async def cursors(self) -> dict[str, int]:
        return {row["source"]: row["position"] for row in await self.pool.fetch(SQL("cursors"))}

    async def known_result(self, key: IdempotencyKey) -> Repeated | KeyReused | None:
        """What a repeated key was answered, without deciding anything again."""
        row = await self.pool.fetchrow(SQL("known_result"), key.scope, key.key)
        if row is None:
            return None
        if row["fingerprint"] != key.fingerprint:
            return KeyReused(key.scope, key.key)
        return Repeated(json.loads(row["result"]))

    async def _write(
        self,
        connection: Connection,
        units: Sequence[Unit],
        encoded: Sequence[Sequence[Encoded]],
        foreign: Foreign | None,
        *,
        atomic: bool,
    ) -> list[Outcome]:
        streams = list({a.stream for u in units for a in u.appends})
        schools = list({u.school for u in units})
        keys = [u.idempotency for u in units if u.idempotency is not None]
        batch = await connection.fetchrow(
            "select * from events.open_batch($1, $2, $3, $4)",
            streams,
            schools,
            [k.scope for k in keys],
            [k.key for k in keys],
        )
        assert batch is not None
        seen: dict[str, int] = json.loads(batch["cursors"])
        if foreign is not None and foreign.events:
            await self._advance(connection, foreign, seen)
        numbering = Numbering(
            head=batch["head"],
            versions=dict(zip(streams, batch["versions"] or (), strict=True)),
            school_positions=dict(zip(schools, batch["school_positions"] or (), strict=True)),
            known={
                (k["scope"], k["key"]): (bytes.fromhex(k["fingerprint"]), k["result"])
                for k in json.loads(batch["known"])
            },
            seen=seen,
            time=self.clock(),
        )
        outcomes = [numbering.take(*pair) for pair in zip(units, encoded, strict=True)]
        if atomic:
            for outcome in outcomes:
                if isinstance(outcome, Conflict):
                    raise ConcurrencyConflict(outcome)
        appended = [r for o in outcomes if isinstance(o, Committed) for r in o.events]
        if appended:
            await _insert(connection, appended, numbering)
            await self._projector.apply(connection, appended)
        await _store_beside(connection, units, outcomes)
        return outcomes

    async def _advance(self, connection: Connection, foreign: Foreign, seen: dict[str, int]) -> None:
        """Cursor and projections of what was read: from here on, what is appended has `seen` it."""
        moved = await connection.fetchval(SQL("advance_cursor"), foreign.source, foreign.after, foreign.upto)
        if moved is None or seen.get(foreign.source, 0) != foreign.after:
            raise CursorMoved(foreign.source)
        seen[foreign.source] = foreign.upto
        await self._projector.apply(connection, foreign.events)


def _encode(unit: Unit, held: HeldKeys) -> list[Encoded]:
    ids = ((new_id(), event) for append in unit.appends for event in append.events)
    return [(event_id, encode_data(event, event_id, held)) for event_id, event in ids]


async def _insert(connection: Connection, appended: Sequence[Recorded[Event]], numbering: Numbering) -> None:
    rows = [(r.position, r.school, r.school_position, r.stream, r.stream_version, r.entry) for r in appended]
    if len(rows) < _COPY_FROM:
        await connection.execute(
            "select events.append($1, $2, $3, $4, $5, $6, $7)",
            numbering.head,
            *map(list, zip(*rows, strict=True)),
        )
        return
    await connection.copy_records_to_table("entries", schema_name="events", columns=_COLUMNS, records=rows)
    heads = numbering.school_positions
    schools = list({r.school for r in appended})
    await connection.execute(
        "select events.close_batch($1, $2, $3)", numbering.head, schools, [heads[s] for s in schools]
    )


async def _store_beside(connection: Connection, units: Sequence[Unit], outcomes: Sequence[Outcome]) -> None:
    """The units' own writes and the results of their idempotency keys, a statement each for the batch."""
    won = [u for u, o in zip(units, outcomes, strict=True) if isinstance(o, Committed)]
    by_statement: dict[str, list[tuple[Any, ...]]] = {}
    for unit in won:
        for write in unit.writes:
            by_statement.setdefault(write.statement, []).extend(write.rows)
    for statement, rows in by_statement.items():
        await connection.executemany(statement, rows)
    keyed = [(u.idempotency, u.result) for u in won if u.idempotency is not None]
    if keyed:
        await connection.execute(
            SQL("store_results"),
            [k.scope for k, _ in keyed],
            [k.key for k, _ in keyed],
            [k.fingerprint for k, _ in keyed],
            [orjson.dumps(dict(r)).decode() for _, r in keyed],
        )
