"""The reader: another service's history, from a cursor kept in our own database (DESIGN 4).

The cursor is the inbox: it moves in the transaction that holds the consequences, so nothing is read twice and
nothing is skipped. An event waits until we have read what its writer had `seen`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.contracts.event import Event, Recorded
from shared.database import AdvisoryLock
from shared.eventstore.store import EventStore
from shared.eventstore.units import ConcurrencyConflict, CursorMoved, Foreign, Unit
from shared.messaging.bus import Bus, BusUnavailable
from shared.messaging.streams import Doorbell, Message, Stream
from shared.tasks import end

log = structlog.get_logger()
BATCH = 500
MAX_BYTES = 1 << 20
POLL_SECONDS = 0.25
_RETRY_STOPPED = 5.0
_PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    BusUnavailable,
    NatsError,
    OSError,
    TimeoutError,
)

React = Callable[[Sequence[Recorded[Event]]], Awaitable[Sequence[Unit]]]
"""A batch of another's events -> what we commit because of it. May be slow (hashing): no lock is held."""


class OutOfOrder(Exception):
    """The stream's numbers do not follow on, or are not the entries' own: it is not the replica it should be."""


class Reader:
    """Reads `source` for one service. A fact is never skipped: what cannot be digested stops this reader."""

    def __init__(self, source: str, store: EventStore, bus: Bus, lock: AdvisoryLock, react: React) -> None:
        self.source = source
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
            except (CursorMoved, ConcurrencyConflict):
                await asyncio.sleep(0)
            except _PASSING as trouble:
                log.info("reader.waits", source=self.source, reason=type(trouble).__name__)
                await asyncio.sleep(POLL_SECONDS)
            except Exception as fault:
                self.stopped = f"stopped after position {self.position}: {_reason(fault)}"
                log.error("reader.stopped", source=self.source, after=self.position, error=_reason(fault))
                await asyncio.sleep(_RETRY_STOPPED)

    async def _read_some(self, client: Client) -> bool:
        cursors = await self._store.cursors()
        after = self.position = cursors.get(self.source, 0)
        messages = await self._stream.fetch(client, after, BATCH, MAX_BYTES)
        if not messages:
            return False
        events = await self._decoded(after, messages)
        ready = self._ready(events, cursors)
        if not ready:
            return False
        await self._digest(after, ready)
        return len(ready) == len(events)

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
        """The events up to the first whose writer had seen more of a third service than we have."""
        for n, recorded in enumerate(events):
            for other, position in recorded.seen.items():
                if other not in (self.source, self._store.service) and cursors.get(other, 0) < position:
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
        units = await self._react(events)
        await self._store.commit(units, foreign=Foreign(self.source, after, events))
        self.position = events[-1].position


def _reason(fault: Exception) -> str:
    """What may be said of a fault: its kind, and its text only where we wrote it ourselves."""
    ours = type(fault).__module__.startswith(("shared.", "services."))
    return f"{type(fault).__name__}: {fault}" if ours else type(fault).__name__
