"""A commit that looks before it writes: lock the head, see what stands, number, write (DESIGN 4)."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.event import Event, Recorded
from shared.database import Connection, unless_cut
from shared.eventstore.copying import COLUMNS, copied
from shared.eventstore.numbering import Numbering, Sealed, encode_more
from shared.eventstore.projection import Projector, as_json
from shared.eventstore.units import (
    Committed,
    ConcurrencyConflict,
    Conflict,
    CursorMoved,
    Foreign,
    IdempotencyKey,
    Outcome,
    Unit,
)
from shared.sql import Statements

SQL = Statements(__file__)
COPY_FROM = 200
"""Events from which COPY is cheaper than one INSERT (its extra round trips are paid back)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the history stood after a commit. `alone`: the commit had found it where ours before had left it."""

    head: int
    schools: dict[str, int]
    cursors: dict[str, int]
    alone: bool

    def moved(self, numbering: Numbering) -> "Standing":
        """After a commit with these numbers that followed on from here."""
        schools = {**self.schools, **numbering.school_positions}
        return Standing(numbering.head, schools, numbering.seen, alone=True)


class Transaction:
    def __init__(self, projector: Projector, clock: Callable[[], datetime]) -> None:
        self._projector = projector
        self._clock = clock

    async def carry_out(
        self,
        connection: Connection,
        sealed: Sequence[Sealed],
        foreign: Foreign | None,
        known: Standing | None,
        *,
        atomic: bool,
    ) -> tuple[list[Outcome], Standing]:
        """Inside the caller's transaction. Raises `ConcurrencyConflict`, `CursorMoved`, `EntryTooLarge`."""
        units = [one.unit for one in sealed]
        numbering = await _meanwhile(self._look(connection, units), sealed)
        found_at = numbering.head
        if foreign is not None and foreign.moves:
            await self._advance(connection, foreign, numbering.seen)
        outcomes: list[Outcome] = []
        taken = _take(numbering, sealed, outcomes, atomic=atomic)
        if large(sealed):
            await _copy(connection, taken, numbering)
        else:
            await _insert(connection, list(taken), numbering)
        appended = [r for o in outcomes if isinstance(o, Committed) for r in o.events]
        await self._projector.apply(connection, appended)
        won = [u for u, o in zip(units, outcomes, strict=True) if isinstance(o, Committed)]
        await execute_writes(connection, won)
        if results := keyed(units, outcomes):
            await connection.execute(
                SQL("store_results"),
                [key.scope for _, key in results],
                [key.key for _, key in results],
                [key.fingerprint for _, key in results],
                [as_json(dict(unit.result)) for unit, _ in results],
            )
        if known is not None and known.head == found_at:
            return outcomes, known.moved(numbering)
        return outcomes, Standing(numbering.head, numbering.school_positions, numbering.seen, alone=False)

    async def _look(self, connection: Connection, units: Sequence[Unit]) -> Numbering:
        streams = list({a.stream for u in units for a in u.appends})
        schools = list({u.school for u in units})
        keys = [u.idempotency for u in units if u.idempotency is not None]
        batch = await connection.fetchrow(
            SQL("open_batch"),
            as_json(streams),
            schools,
            [k.scope for k in keys],
            [k.key for k in keys],
        )
        assert batch is not None
        return Numbering(
            head=batch["head"],
            versions=dict(zip(streams, batch["versions"] or (), strict=True)),
            school_positions=dict(zip(schools, batch["school_positions"] or (), strict=True)),
            known={
                (k["scope"], k["key"]): (bytes.fromhex(k["fingerprint"]), k["result"])
                for k in json.loads(batch["known"])
            },
            seen=json.loads(batch["cursors"]),
            time=self._clock(),
        )

    async def _advance(self, connection: Connection, foreign: Foreign, seen: dict[str, int]) -> None:
        """Cursor and projections of what was read: from here on, what is appended has `seen` it."""
        moved = await connection.fetchval(SQL("advance_cursor"), foreign.source, foreign.after, foreign.upto)
        if moved is None or seen.get(foreign.source, 0) != foreign.after:
            raise CursorMoved(foreign.source)
        seen[foreign.source] = foreign.upto
        await self._projector.apply(connection, foreign.events)


async def _meanwhile(looking: Coroutine[Any, Any, Numbering], sealed: Sequence[Sealed]) -> Numbering:
    """While the server looks, what is still to be encoded is."""
    task = asyncio.create_task(looking)
    try:
        for _ in encode_more(sealed):
            await asyncio.sleep(0)
            if task.done():
                break
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _take(
    numbering: Numbering, sealed: Sequence[Sealed], outcomes: list[Outcome], *, atomic: bool
) -> Iterator[Recorded[Event]]:
    """What each unit appends, one by one; its outcome is added to `outcomes`."""
    for one in sealed:
        refused = numbering.refused(one.unit)
        if refused is None:
            recorded = []
            for placed in numbering.placed(one):
                recorded.append(placed)
                yield placed
            outcomes.append(Committed(tuple(recorded), one.unit.result))
        elif atomic and isinstance(refused, Conflict):
            raise ConcurrencyConflict(refused)
        else:
            outcomes.append(refused)


def large(sealed: Sequence[Sealed]) -> bool:
    return len(sealed) >= COPY_FROM or sum(len(one.events) for one in sealed) >= COPY_FROM


async def _insert(connection: Connection, recorded: Sequence[Recorded[Event]], numbering: Numbering) -> None:
    if recorded:
        columns = [[getattr(r, name) for r in recorded] for name in COLUMNS]
        await connection.execute("select events.append($1, $2, $3, $4, $5, $6, $7)", numbering.head, *columns)


async def _copy(connection: Connection, recorded: Iterator[Recorded[Event]], numbering: Numbering) -> None:
    """The server takes in what came first while the rest is encoded and numbered."""
    before = numbering.head
    copying = connection.copy_to_table(
        "entries", source=copied(recorded), schema_name="events", columns=COLUMNS, format="binary"
    )
    await unless_cut(connection, copying)
    if numbering.head > before:
        heads = {school: position for school, position in numbering.school_positions.items() if position}
        await connection.execute(
            "select events.close_batch($1, $2, $3)", numbering.head, list(heads), list(heads.values())
        )


async def execute_writes(connection: Connection, won: Sequence[Unit]) -> None:
    """The units' own writes, a statement each for the batch."""
    by_statement: dict[str, list[tuple[Any, ...]]] = {}
    for unit in won:
        for write in unit.writes:
            by_statement.setdefault(write.statement, []).extend(write.rows)
    for statement, rows in by_statement.items():
        await connection.executemany(statement, rows)


def keyed(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> list[tuple[Unit, IdempotencyKey]]:
    """Those that won, with their keys."""
    return [
        (unit, unit.idempotency)
        for unit, outcome in zip(units, outcomes, strict=True)
        if isinstance(outcome, Committed) and unit.idempotency is not None
    ]
