"""The reader: another service's history, from a cursor kept in our own database (DESIGN 4).

The cursor is the inbox: it moves in the transaction that holds the consequences, so nothing is read twice and
nothing is skipped. An event waits until we have read what its writer had `seen`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared import faults
from shared.contracts.entry import parse
from shared.contracts.event import Event, Recorded, contract_of, parse_seen
from shared.database import DATABASE_TROUBLES, AdvisoryLock
from shared.eventstore.store import EventStore
from shared.eventstore.units import ConcurrencyConflict, CursorMoved, Foreign, Unit
from shared.messaging.bus import Bus, BusUnavailable
from shared.messaging.streams import Doorbell, Message, NoLeader, Stream, StreamMissing
from shared.tasks import end, one_ahead

log = structlog.get_logger()
PAGE = 2000
PAGE_BYTES = 2 << 20
"""What is fetched at once."""
BATCH = 500
"""Events that are digested at once, at most: those that say something to this service."""
FIRST_BATCH = 100
QUICK_SECONDS, SLOW_SECONDS = 1.0, 4.0
"""A batch that took longer than this halves the next, one that was quicker doubles it: who waits for us sees us move."""
POLL_SECONDS = 0.25
LOOK_AGAIN_SECONDS = 2.0
"""Who waits for another asks the database at every bell, and the stream (which may be repaired meanwhile) no oftener."""
_RETRY_STOPPED = 5.0
BEHIND_SECONDS = 15.0
_PASSING = (
    *DATABASE_TROUBLES,
    BusUnavailable,
    NatsError,
    NoLeader,
    StreamMissing,
    OSError,
    TimeoutError,
)

React = Callable[[Sequence[Recorded[Event]]], Awaitable[Sequence[Unit]]]
"""A batch of another's events -> what we commit because of it. May be slow (hashing): no lock is held."""


class OutOfOrder(Exception):
    """The stream's numbers do not follow on, or are not the entries' own: it is not the replica it should be."""


class Reader:
    """Reads `source` for one service. A fact is never skipped: what cannot be digested stops this reader."""

    def __init__(
        self,
        source: str,
        store: EventStore,
        bus: Bus,
        lock: AdvisoryLock,
        react: React,
        follows: frozenset[str],
        heeds: frozenset[str] | None = None,
    ) -> None:
        """`follows`: every source that this service reads. For others there is nothing to wait.

        `heeds`: names of contracts that `react` or a projection looks at; of others only the envelope is read. None: all.
        """
        self.source = source
        self._follows = follows
        self._heeds = heeds
        self._announced = 0
        self._held_back = False
        self._reached = ""
        self._wanted: Mapping[str, int] = {}
        self._awaited: dict[str, int] = {}
        self._looked = 0.0
        self._most = FIRST_BATCH
        self._behind_since: float | None = None
        self._waits_for = ""
        self.position = 0
        self.stopped: str | None = None
        self._store = store
        self._bus = bus
        self._lock = lock
        self._react = react
        self._stream = Stream(source.upper(), foreign=True)
        self._bell = Doorbell()
        self._task: asyncio.Task[None] | None = None
        # Our own reading of a third service may be what an event here waits for.
        store.on_commit(lambda _: self._bell.ring() if self._held_back else None)

    async def start(self) -> None:
        async def ring(message: Msg) -> None:
            # What the stream holds now, be it less than before: it may have been wiped.
            self._announced = int(message.data) if message.data.isdigit() else 0
            self._bell.ring()

        await self._bus.subscribe(f"{self.source}.bell", ring)
        self._task = asyncio.create_task(self._run(), name=f"reader:{self.source}")

    def problem(self) -> str | None:
        """For `/readyz`: why it stopped, or that for 15 seconds it has not moved though it should."""
        if self.stopped is not None:
            return self.stopped
        if self._behind_since is not None and time.monotonic() - self._behind_since > BEHIND_SECONDS:
            return f"stands still for {BEHIND_SECONDS:.0f} s and more at position {self.position}{self._waits_for}"
        return None

    async def close(self) -> None:
        await end(self._task)
        await self._lock.release()

    async def _run(self) -> None:
        while True:
            try:
                await self._lock.acquire()
                client = await self._bus.connected()
                while self._lock.held():
                    await self._read(client)
                    self.stopped = None
                    await self._bell.wait(POLL_SECONDS)
            except asyncio.CancelledError:
                raise
            except CursorMoved:
                await asyncio.sleep(0)
            except ConcurrencyConflict:
                self._take_less()
                log.info("reader.conflict", source=self.source, next_batch=self._most)
            except _PASSING as trouble:
                self._take_less()
                self._is_behind(f" ({type(trouble).__name__})")
                log.info("reader.waits", source=self.source, reason=type(trouble).__name__)
                await asyncio.sleep(POLL_SECONDS)
            except Exception as fault:
                self.stopped = f"stopped after position {self.position}: {_reason(fault)}"
                self._most = 1
                log.error("reader.stopped", source=self.source, after=self.position, error=_reason(fault))
                await asyncio.sleep(_RETRY_STOPPED)

    async def _read(self, client: Client) -> None:
        """From our cursor to the end of the stream; a batch is fetched while the one before is digested."""
        cursors = await self._store.cursors()
        self.position, self._reached = cursors.get(self.source, 0), ""
        if self._held_back and time.monotonic() - self._looked < LOOK_AGAIN_SECONDS and self._lacks(cursors):
            self._waits_still(cursors)
            return
        self._looked = time.monotonic()
        async with aclosing(one_ahead(self._fetched(client, self.position))) as batches:
            async for messages in batches:
                if not await self._take(messages, cursors):
                    return
                if not self._lock.held():
                    return
        if self._announced > self.position:
            self._is_behind(f": {self._stream.name} does not show what its relay has announced")
        else:
            self._behind_since = None

    async def _fetched(self, client: Client, after: int) -> AsyncIterator[list[Message]]:
        while True:
            fetched = await self._stream.fetch(client, after, PAGE, PAGE_BYTES)
            if fetched.messages:
                yield fetched.messages
            if not fetched.pending:
                return
            after += len(fetched.messages)

    async def _take(self, messages: Sequence[Message], cursors: dict[str, int]) -> bool:
        """False where an event has to wait: what came before it is digested; so it is before one that is unreadable."""
        after = self.position
        envelopes, unreadable = self._read_envelopes(after, messages)
        ready = await self._ready(envelopes, cursors)
        if not ready and envelopes:
            self._waits_still(cursors)
        heeded = [m for m, e in zip(messages[:ready], envelopes, strict=False) if self._heeded(e)]
        while self.position < after + ready:
            some, heeded = heeded[: self._most], heeded[self._most :]
            upto = some[-1].sequence if heeded else after + ready
            began = time.monotonic()
            await self._digest(upto, await self._store.decode([m.data for m in some]) if some else ())
            self._pace(time.monotonic() - began)
        if unreadable is not None and ready == len(envelopes):
            raise unreadable
        return ready == len(messages)

    def _take_less(self) -> None:
        """What was prepared (and may have been hashed) was thrown away: what is lost next time is less, and a batch that
        is shorter than the time between two troubles gets through."""
        self._most = max(1, self._most // 2)

    def _pace(self, seconds: float) -> None:
        if seconds > SLOW_SECONDS:
            self._most = max(1, self._most // 2)
        elif seconds < QUICK_SECONDS:
            self._most = min(BATCH, self._most * 2)

    def _read_envelopes(
        self, after: int, messages: Sequence[Message]
    ) -> tuple[list[dict[str, Any]], Exception | None]:
        """Up to the first that is not what is due here, with what is wrong with that one."""
        found: list[dict[str, Any]] = []
        for expected, message in enumerate(messages, after + 1):
            try:
                found.append(self._checked(expected, message))
            except Exception as unreadable:
                return found, unreadable
        return found, None

    def _is_behind(self, waits_for: str) -> None:
        self._waits_for = waits_for
        if self._behind_since is None:
            self._behind_since = time.monotonic()

    def _checked(self, expected: int, message: Message) -> dict[str, Any]:
        """The envelope of the entry that is due, of a contract that is known here: of others nobody can tell whether
        they matter."""
        if message.sequence != expected:
            raise OutOfOrder(f"{self._stream.name}: {message.sequence} came where {expected} was due")
        envelope = parse(message.data)
        if envelope["sequence"] != str(expected) or envelope["source"] != f"/{self.source}":
            raise OutOfOrder(f"{self._stream.name}: entry {expected} is not its own number")
        contract_of(envelope["type"])
        return envelope

    def _heeded(self, envelope: Mapping[str, Any]) -> bool:
        return self._heeds is None or contract_of(envelope["type"]).contract_name() in self._heeds

    async def _ready(self, envelopes: Sequence[Mapping[str, Any]], cursors: dict[str, int]) -> int:
        """How many, up to the first whose writer had seen more of a third service, which we follow, than we have."""
        for n, envelope in enumerate(envelopes):
            seen = envelope.get("seen")
            if seen is None or seen == self._reached:
                continue
            self._wanted = {
                o: p for o, p in parse_seen(seen).items() if o in self._follows and o != self.source
            }
            if self._lacks(cursors):
                self._held_back = True
                cursors |= await self._store.cursors()
                if self._lacks(cursors):
                    return n
            self._reached = seen
        self._held_back = False
        return len(envelopes)

    def _lacks(self, cursors: Mapping[str, int]) -> bool:
        return any(cursors.get(other, 0) < position for other, position in self._wanted.items())

    def _waits_still(self, cursors: Mapping[str, int]) -> None:
        """As long as what an event waits for comes nearer, waiting is no trouble."""
        reached = {other: cursors.get(other, 0) for other in self._wanted}
        if reached != self._awaited:
            self._awaited, self._behind_since = reached, None
        self._is_behind(f": {self.source}:{self.position + 1} waits for what its writer had seen")

    async def _digest(self, upto: int, events: Sequence[Recorded[Event]]) -> None:
        """All at once; should that fail, one by one, so that only what cannot be digested stands still."""
        try:
            await self._commit(upto, events)
        except (*_PASSING, CursorMoved, ConcurrencyConflict):
            raise
        except Exception:
            if len(events) <= 1:
                raise
            for recorded in events:
                await self._commit(recorded.position, [recorded])
            if upto > self.position:
                await self._commit(upto, ())

    async def _commit(self, upto: int, events: Sequence[Recorded[Event]]) -> None:
        correlations = {recorded.correlation for recorded in events}
        at_hand = {"source": self.source, "upto": upto}
        if len(correlations) == 1:
            at_hand["correlation"] = correlations.pop()
        with structlog.contextvars.bound_contextvars(**at_hand):
            units = await self._react(events) if events else ()
            faults.reach(faults.Point.reaction_prepared)
            await self._store.commit(units, foreign=Foreign(self.source, self.position, events, upto))
            faults.reach(faults.Point.reaction_committed)
        self.position = upto
        # A long way behind and moving is work, not trouble.
        self._behind_since = None


def _reason(fault: Exception) -> str:
    """What may be said of a fault: its kind, and its text only where we wrote it ourselves."""
    ours = type(fault).__module__.startswith(("shared.", "services."))
    return f"{type(fault).__name__}: {fault}" if ours else type(fault).__name__
