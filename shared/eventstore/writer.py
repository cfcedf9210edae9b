"""The one writer of a process: how a commit reaches the database (DESIGN 4).

It knows where the history stood after its last commit. As long as nobody else writes, what follows is numbered ahead
and written by one statement, which locks the head and holds only if all is as it was known to be. When it is not, or
where there is nothing to go by, a transaction looks first (`transaction`).
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import asyncpg

from shared import faults
from shared.contracts.event import Event, Recorded
from shared.database import Connection, KeptConnection, Pool
from shared.eventstore.numbering import Numbering, Sealed
from shared.eventstore.projection import Projector, as_json
from shared.eventstore.transaction import Standing, Transaction, execute_writes, keyed, large
from shared.eventstore.units import Committed, Conflict, Foreign, Outcome, Unit

_MISSED = (
    asyncpg.SerializationError,
    asyncpg.UniqueViolationError,
    asyncpg.CardinalityViolationError,
    asyncpg.DeadlockDetectedError,
)
"""The history has moved, a key was used before, two writes met in a row after all, or a rebuild is switching tables:
certainly rolled back."""
_PARAMETERS = 9
_MOST_BESIDE = 24
"""Rows of writes in one statement: their number is part of its text, and so of what the server plans."""


class Writer:
    def __init__(self, pool: Pool, projector: Projector, clock: Callable[[], datetime]) -> None:
        self._connection = KeptConnection(pool)
        self._projector = projector
        self._clock = clock
        self._transaction = Transaction(projector, clock)
        self._turn = asyncio.Lock()
        self._known: Standing | None = None

    async def write(
        self, sealed: Sequence[Sealed], foreign: Foreign | None, *, atomic: bool
    ) -> list[Outcome]:
        """As `EventStore.commit`. The head's lock keeps processes apart; here one task waits for the other."""
        async with self._turn, self._connection as connection:
            # Whatever goes wrong, what was known is not trusted again.
            known, self._known = self._known, None
            outcomes = None
            if known is not None and known.alone:
                outcomes = await self._at_once(connection, known, sealed, foreign, atomic=atomic)
            if outcomes is None:
                async with connection.transaction():
                    outcomes, standing = await self._transaction.carry_out(
                        connection, sealed, foreign, known, atomic=atomic
                    )
                    faults.reach(faults.Point.before_commit)
                self._known = standing
            return outcomes

    async def _at_once(
        self,
        connection: Connection,
        known: Standing,
        sealed: Sequence[Sealed],
        foreign: Foreign | None,
        *,
        atomic: bool,
    ) -> list[Outcome] | None:
        """None when this cannot be done, or the history was not where it was known to be: nothing has happened."""
        units = [one.unit for one in sealed]
        numbering = _ahead(known, sealed, foreign, self._clock())
        if numbering is None:
            return None
        outcomes = [numbering.take(one) for one in sealed]
        if atomic and any(isinstance(outcome, Conflict) for outcome in outcomes):
            return None
        appended = [r for o in outcomes if isinstance(o, Committed) for r in o.events]
        if not appended and foreign is None:
            return None
        projected = [*(foreign.events if foreign is not None else ()), *appended]
        projections = await self._projector.together(connection, projected, _PARAMETERS + 1)
        if projections is None:
            return None
        parameters = _parameters(known, foreign, units, outcomes, appended, numbering)
        parameters += projections[1]
        won = [u for u, o in zip(units, outcomes, strict=True) if isinstance(o, Committed)]
        beside = _beside(won, len(parameters))
        try:
            if beside is None:
                async with connection.transaction():
                    await connection.execute(_statement(projections[0]), *parameters)
                    await execute_writes(connection, won)
                    faults.reach(faults.Point.before_commit)
            else:
                faults.reach(faults.Point.before_commit)
                statement = _statement([*projections[0], *beside[0]])
                await connection.execute(statement, *parameters, *beside[1])
        except _MISSED:
            return None
        self._known = known.moved(numbering)
        return outcomes


def _ahead(
    known: Standing, sealed: Sequence[Sealed], foreign: Foreign | None, time: datetime
) -> Numbering | None:
    """Numbers for units that are all as current as they believe; None where something is not known."""
    if large(sealed):
        return None
    versions: dict[str, int] = {}
    schools: dict[str, int] = {}
    for one in sealed:
        for append in one.unit.appends:
            versions.setdefault(append.stream, append.expected)
        school = one.unit.school
        if school not in known.schools:
            return None
        schools[school] = known.schools[school]
    seen = dict(known.cursors)
    if foreign is not None and foreign.moves:
        if seen.get(foreign.source, 0) != foreign.after:
            return None
        seen[foreign.source] = foreign.upto
    return Numbering(known.head, versions, schools, {}, seen, time)


def _parameters(
    known: Standing,
    foreign: Foreign | None,
    units: Sequence[Unit],
    outcomes: Sequence[Outcome],
    appended: Sequence[Recorded[Event]],
    numbering: Numbering,
) -> list[Any]:
    """Of `events.append_at`. JSON: asyncpg takes far longer over arrays."""
    expected: dict[str, int] = {}
    for unit in units:
        for append in unit.appends:
            expected.setdefault(append.stream, append.expected)
    moves = foreign is not None and foreign.moves
    places = [
        {
            "school": r.school,
            "school_position": r.school_position,
            "stream": r.stream,
            "stream_version": r.stream_version,
        }
        for r in appended
    ]
    results = [
        {
            "scope": key.scope,
            "key": key.key,
            "fingerprint": key.fingerprint.hex(),
            "result": dict(unit.result),
        }
        for unit, key in keyed(units, outcomes)
    ]
    return [
        known.head,
        as_json(known.cursors),
        as_json(expected),
        foreign.source if foreign is not None and moves else None,
        foreign.upto if foreign is not None and moves else None,
        as_json(places),
        [r.entry for r in appended],
        as_json(numbering.school_positions),
        as_json(results) if results else None,
    ]


def _beside(won: Sequence[Unit], already: int) -> tuple[list[str], list[Any]] | None:
    """The units' writes as subqueries, and their parameters after those `already` there; None where order matters."""
    writes = [write for unit in won for write in unit.writes]
    if not all(write.beside for write in writes) or sum(len(write.rows) for write in writes) > _MOST_BESIDE:
        return None
    texts: list[str] = []
    parameters: list[Any] = []
    for write in writes:
        for row in write.rows:
            texts.append(_renumbered(write.statement, already + len(parameters)))
            parameters.extend(row)
    return texts, parameters


@lru_cache(maxsize=1024)
def _renumbered(statement: str, after: int) -> str:
    return re.sub(r"\$(\d+)", lambda number: f"${int(number[1]) + after}", statement)


def _statement(subqueries: Sequence[str]) -> str:
    given = ", ".join(f"${n}" for n in range(1, _PARAMETERS + 1))
    beside = "".join(f", p{n} as ({text}\n)" for n, text in enumerate(subqueries))
    return (
        f"with beforehand as materialized (select events.append_at({given})){beside} "  # noqa: S608
        "select from beforehand"
    )
