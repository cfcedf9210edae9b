"""The relay: the stream becomes what the store is, same bytes, same numbers (DESIGN 4, NATS.md).

It remembers nothing: where to go on is read from the stream itself, each time. Hence a stream that is behind,
wiped or rolled back is healed by the same loop, and one that is ahead or differs makes it stop and shout.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared import faults
from shared.contracts.entry import subject_of
from shared.contracts.event import Event, Recorded
from shared.database import DATABASE_TROUBLES, AdvisoryLock
from shared.eventstore.store import EventStore
from shared.messaging.bus import Bus, BusUnavailable
from shared.messaging.streams import (
    ATOMIC_MOST,
    Doorbell,
    NoLeader,
    Outgoing,
    PublishRefused,
    ReplicaBehind,
    Stream,
    StreamMissing,
    WrongSequence,
    publish,
)
from shared.tasks import end, one_ahead

log = structlog.get_logger()
POLL_SECONDS = 0.25
_PAGE = ATOMIC_MOST
BATCH_BYTES = 4 << 20
_FOR_EVER = (1 << 63) - 1
_PASSING = (
    *DATABASE_TROUBLES,
    BusUnavailable,
    NatsError,
    NoLeader,
    OSError,
    ReplicaBehind,
    StreamMissing,
    TimeoutError,
)
_SHOUT_EVERY = 5.0
_WRONG_LAST_SEQUENCE = 10071
_QUIET_REFUSALS = 5


class StreamDiffers(Exception):
    """The stream holds what the store does not: nothing may be published on top of it."""


class Relay:
    """Publishes one service's history. Of several processes, the one that holds the lock works."""

    def __init__(self, service: str, store: EventStore, bus: Bus, lock: AdvisoryLock) -> None:
        self.service = service
        self.acknowledged = 0
        self.head = 0
        self.stopped: str | None = None
        self._refusals = 0
        self._store = store
        self._bus = bus
        self._lock = lock
        self._stream = Stream(service.upper(), foreign=False)
        self._bell = Doorbell()
        self._task: asyncio.Task[None] | None = None
        store.on_commit(self._ring)

    def _ring(self, appended: Sequence[Recorded[Event]]) -> None:
        if any(recorded.event.awaited for recorded in appended):
            self._bell.ring()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="relay")

    async def close(self) -> None:
        await end(self._task)
        await self._lock.release()

    async def _run(self) -> None:
        while True:
            try:
                await self._lock.acquire()
                client = await self._bus.connected()
                while self._lock.held():
                    await self._catch_up(client)
                    self.stopped = None
                    await self._bell.wait(POLL_SECONDS)
            except asyncio.CancelledError:
                raise
            except (StreamDiffers, WrongSequence) as fault:
                self.stopped = str(fault)
                log.error("relay.stopped", service=self.service, reason=self.stopped)
                await asyncio.sleep(_SHOUT_EVERY)
            except PublishRefused as refused:
                await self._refused(refused)
            except _PASSING as trouble:
                server = isinstance(trouble, DATABASE_TROUBLES)
                self.stopped = type(trouble).__name__ if server else str(trouble) or type(trouble).__name__
                await asyncio.sleep(POLL_SECONDS)
            except Exception as fault:
                self.stopped = type(fault).__name__
                log.error("relay.failed", service=self.service, error=type(fault).__name__)
                await asyncio.sleep(1.0)

    async def _refused(self, refused: PublishRefused) -> None:
        """Another relay was faster: look again. The same refusal again and again is a fault, and is told."""
        self._refusals += 1
        if refused.code == _WRONG_LAST_SEQUENCE and self._refusals < _QUIET_REFUSALS:
            await asyncio.sleep(0.05)
            return
        self.stopped = f"the stream {self._stream.name} refuses: {refused}"
        log.error("relay.refused", service=self.service, code=refused.code)
        await asyncio.sleep(_SHOUT_EVERY)

    async def _catch_up(self, client: Client) -> None:
        """Publish what the stream lacks; the next messages are read while those before are acknowledged."""
        last = await self._stream.last_sequence(client)
        if last < self.acknowledged:
            log.warning("relay.stream_lost_its_tail", had=self.acknowledged, has=last)
        async with aclosing(one_ahead(self._from(max(last, 1)))) as pages:
            page, there = await asyncio.gather(anext(pages, []), self._stream.message_at(client, last))
            if last > 0:
                self._compare(last, there, page.pop(0) if page else None)
            self.acknowledged = last
            while page:
                self.head = page[-1].position
                await self._publish(client, page)
                page = await anext(pages, [])
        self.head = self.acknowledged

    def _compare(self, last: int, there: bytes, here: Outgoing | None) -> None:
        """The bytes, not the numbers: what an administrator put there has our next number, too."""
        if here is None:
            raise StreamDiffers(f"the stream {self._stream.name} is ahead of the store: it has {last}")
        if here.entry != there:
            raise StreamDiffers(f"the stream {self._stream.name} differs from the store at position {last}")

    async def _publish(self, client: Client, page: Sequence[Outgoing]) -> None:
        for batch in atomic_batches(page):
            if batch[0].position != self.acknowledged + 1:
                raise WrongSequence(f"the store has a gap before position {batch[0].position}")
            faults.reach(faults.Point.before_publish)
            await publish(client, batch)
            faults.reach(faults.Point.published)
            self.acknowledged = batch[-1].position
            self._refusals = 0
            await client.publish(f"{self.service}.bell", str(self.acknowledged).encode())

    async def _from(self, position: int) -> AsyncIterator[list[Outgoing]]:
        """The store's entries from this position on, ready to be published."""
        async for entries in self._store.replay_entries(after=position - 1, upto=_FOR_EVER, batch=_PAGE):
            yield [Outgoing(n, subject_of(entry), entry) for n, entry in entries]
            if len(entries) < _PAGE:
                return


def atomic_batches(page: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    """Parts that the server takes as one atomic batch."""
    first, size = 0, 0
    for n, message in enumerate(page):
        size += len(message.entry)
        if n > first and (n - first == ATOMIC_MOST or size > BATCH_BYTES):
            yield page[first:n]
            first, size = n, len(message.entry)
    yield page[first:]
