"""The event store of one service: commit, load, replay (DESIGN 4). PostgreSQL is the truth."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

from shared import faults
from shared.contracts.entry import type_in
from shared.contracts.event import Event, Recorded, utcnow
from shared.database import KeptConnection, Pool, Writing
from shared.eventstore.numbering import Sealed
from shared.eventstore.projection import Projector, as_json
from shared.eventstore.reading import opened, pages_opened, prepare
from shared.eventstore.sealing import seal
from shared.eventstore.units import (
    Committed,
    Foreign,
    History,
    IdempotencyKey,
    KeyReused,
    Outcome,
    Question,
    Recalled,
    Repeated,
    Unit,
)
from shared.eventstore.writer import Writer
from shared.keyring.keyring import Keyring
from shared.sql import Statements

SQL = Statements(__file__)


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
        self._recalling = KeptConnection(pool)
        self._writer = Writer(pool, projector, self._now)
        self._on_commit: list[Callable[[Sequence[Recorded[Event]]], None]] = []

    def _now(self) -> datetime:
        """By the clock that is set at this moment: tests set another."""
        return self.clock()

    def on_commit(self, listener: Callable[[Sequence[Recorded[Event]]], None]) -> None:
        """Called after each commit that appended or moved a cursor, with what it appended: for workers that wait for
        news."""
        self._on_commit.append(listener)

    async def commit(
        self, units: Sequence[Unit], *, foreign: Foreign | None = None, atomic: bool = False
    ) -> list[Outcome]:
        """One transaction for all units: of those in conflict each loses alone, its neighbours go on.

        With `atomic`, or for a reader's batch (`foreign`), the first conflict ends all: `ConcurrencyConflict`.
        Raises `CursorMoved` when another reader was faster, `EntryTooLarge` for an entry over 65,535 bytes.
        """
        return await self.write(await self.seal(units), foreign=foreign, atomic=atomic)

    async def seal(self, units: Sequence[Unit]) -> list[Sealed]:
        """Keys at hand, and encoded what can be beforehand (see `sealing`): of a large commit not all of it."""
        return await seal(self.keyring, units)

    async def write(
        self, sealed: Sequence[Sealed], *, foreign: Foreign | None = None, atomic: bool = False
    ) -> list[Outcome]:
        """The second half of `commit`."""
        async with self.writing:
            outcomes = await self._writer.write(sealed, foreign, atomic=atomic or foreign is not None)
        faults.reach(faults.Point.after_commit)
        appended = [r for o in outcomes if isinstance(o, Committed) for r in o.events]
        if appended:
            self.position = appended[-1].position
        if appended or foreign is not None:
            for listener in self._on_commit:
                listener(appended)
        return outcomes

    async def load(
        self, streams: Collection[str], unmoved_by: Collection[type[Event]] = ()
    ) -> dict[str, History]:
        """These streams, all but the events of these types opened; one without events is not in the answer."""
        rows = await self.pool.fetch(SQL("load_streams"), list(streams))
        loaded: dict[str, History] = {}
        passed_over = {event.type_name().encode() for event in unmoved_by}
        entries: list[bytes] = []
        histories: list[History] = []
        for stream, version, entry in rows:
            history = loaded.setdefault(stream, History())
            history.version = version
            if not passed_over or type_in(entry) not in passed_over:
                entries.append(entry)
                histories.append(history)
        for history, recorded in zip(histories, await self.decode(entries), strict=True):
            history.append(recorded)
        return loaded

    async def recall(self, questions: Sequence[Question]) -> list[Recalled]:
        """What commands must know before they decide: the history of a stream, what a key was answered."""
        keys = [{"scope": q.key.scope, "key": q.key.key} for q in questions if q.key is not None]
        streams = list({q.stream for q in questions})
        rows = await self._recalling.fetch(SQL("recall"), streams, as_json(keys) if keys else None)
        histories: dict[str, list[Recorded[Event]]] = {stream: [] for stream in streams}
        found = [(name, entry) for name, key, entry, _, _ in rows if key is None]
        for (name, _), recorded in zip(found, await self.decode([entry for _, entry in found]), strict=True):
            histories[name].append(recorded)
        known = {
            (name, key): (fingerprint, result)
            for name, key, _, fingerprint, result in rows
            if key is not None
        }
        return [Recalled(histories[q.stream], _answered(q.key, known)) for q in questions]

    async def decode(self, entries: Sequence[bytes]) -> list[Recorded[Event]]:
        """Typed events from entries of any service, personal parts opened."""
        return await opened(await prepare(self.keyring, entries))

    async def replay(
        self, after: int = 0, upto: int | None = None, batch: int = 1000
    ) -> AsyncGenerator[list[Recorded[Event]], None]:
        """All events in order, in batches: memory stays constant however long the history."""
        entries = ([entry for _, entry in page] async for page in self.replay_entries(after, upto, batch))
        async with aclosing(pages_opened(self.keyring, entries)) as pages:
            async for page in pages:
                yield page

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


def _answered(
    key: IdempotencyKey | None, known: Mapping[tuple[str, str], tuple[bytes, str]]
) -> Repeated | KeyReused | None:
    if key is None or (key.scope, key.key) not in known:
        return None
    fingerprint, result = known[key.scope, key.key]
    return Repeated(json.loads(result)) if fingerprint == key.fingerprint else KeyReused(key.scope, key.key)
