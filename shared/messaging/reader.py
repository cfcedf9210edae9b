"""The reader: another service's history, from a cursor kept in our own database (DESIGN 4).

The cursor is the inbox: it moves in the transaction that holds the consequences, so nothing is read twice and
nothing is skipped. An event waits until we have read what its writer had `seen`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared import faults
from shared.contracts.event import Event, Recorded
from shared.database import DATABASE_TROUBLES, AdvisoryLock
from shared.eventstore.store import EventStore
from shared.eventstore.units import ConcurrencyConflict, CursorMoved, Foreign, Unit
from shared.messaging.bus import Bus, BusUnavailable
from shared.messaging.streams import Doorbell, Message, NoLeader, Stream, StreamMissing
from shared.tasks import end

log = structlog.get_logger()
BATCH = 500
MAX_BYTES = 1 << 20
POLL_SECONDS = 0.25
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
    ) -> None:
        """`follows`: every source that this service reads. For others there is nothing to wait."""
        self.source = source
        self._follows = follows
        self._most = BATCH
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
        store.on_commit(self._bell.ring)

    async def start(self) -> None:
        async def ring(_: object) -> None:
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
                    more = await self._read_some(client)
                    self.stopped = None
                    if not more:
                        await self._bell.wait(POLL_SECONDS)
            except asyncio.CancelledError:
                raise
            except CursorMoved:
                await asyncio.sleep(0)
            except ConcurrencyConflict:
                # Less at once next time: what was prepared for the others was thrown away with it.
                self._most = max(1, self._most // 2)
                log.info("reader.conflict", source=self.source, next_batch=self._most)
            except _PASSING as trouble:
                self._is_behind(f" ({type(trouble).__name__})")
                log.info("reader.waits", source=self.source, reason=type(trouble).__name__)
                await asyncio.sleep(POLL_SECONDS)
            except Exception as fault:
                self.stopped = f"stopped after position {self.position}: {_reason(fault)}"
                self._most = 1
                log.error("reader.stopped", source=self.source, after=self.position, error=_reason(fault))
                await asyncio.sleep(_RETRY_STOPPED)

    async def _read_some(self, client: Client) -> bool:
        cursors = await self._store.cursors()
        after = self.position = cursors.get(self.source, 0)
        fetched = await self._stream.fetch(client, after, self._most, MAX_BYTES)
        if not fetched.messages:
            self._behind_since = None
            return False
        events = await self._decoded(after, fetched.messages)
        ready = self._ready(events, cursors)
        if not ready:
            self._is_behind(f": {events[0].service}:{events[0].position} waits for what its writer had seen")
            return False
        await self._digest(after, ready)
        self._most = min(BATCH, self._most * 2)
        # A long way behind and moving is work, not trouble.
        self._behind_since = None
        return len(ready) == len(events)

    def _is_behind(self, waits_for: str) -> None:
        self._waits_for = waits_for
        if self._behind_since is None:
            self._behind_since = time.monotonic()

    async def _decoded(self, after: int, messages: Sequence[Message]) -> list[Recorded[Event]]:
        for expected, message in enumerate(messages, after + 1):
            if message.sequence != expected:
                raise OutOfOrder(f"{self._stream.name}: {message.sequence} came where {expected} was due")
        events = await self._store.decode([message.data for message in messages])
        for message, recorded in zip(messages, events, strict=True):
            if recorded.position != message.sequence or recorded.service != self.source:
                raise OutOfOrder(f"{self._stream.name}: entry {message.sequence} is not its own number")
        return events

    def _ready(self, events: Sequence[Recorded[Event]], cursors: dict[str, int]) -> Sequence[Recorded[Event]]:
        """The events up to the first whose writer had seen more of a third service, which we follow, than we have."""
        for n, recorded in enumerate(events):
            for other, position in recorded.seen.items():
                waits = other in self._follows and other != self.source
                if waits and cursors.get(other, 0) < position:
                    return events[:n]
        return events

    async def _digest(self, after: int, events: Sequence[Recorded[Event]]) -> None:
        """All at once; should that fail, one by one, so that only what cannot be digested stands still."""
        try:
            await self._commit(after, events)
        except (*_PASSING, CursorMoved, ConcurrencyConflict):
            raise
        except Exception:
            if len(events) == 1:
                raise
            for recorded in events:
                await self._commit(self.position, [recorded])

    async def _commit(self, after: int, events: Sequence[Recorded[Event]]) -> None:
        upto = events[-1].position
        correlations = {recorded.correlation for recorded in events}
        at_hand = {"source": self.source, "upto": upto}
        if len(correlations) == 1:
            at_hand["correlation"] = correlations.pop()
        with structlog.contextvars.bound_contextvars(**at_hand):
            units = await self._react(events)
            faults.reach(faults.Point.reaction_prepared)
            await self._store.commit(units, foreign=Foreign(self.source, after, events))
            faults.reach(faults.Point.reaction_committed)
        self.position = upto


def _reason(fault: Exception) -> str:
    """What may be said of a fault: its kind, and its text only where we wrote it ourselves."""
    ours = type(fault).__module__.startswith(("shared.", "services."))
    return f"{type(fault).__name__}: {fault}" if ours else type(fault).__name__
