"""The relay: the stream becomes what the store is, same bytes, same numbers (DESIGN 4, NATS.md).

It remembers nothing: where to go on is read from the stream itself, each time. Hence a stream that is behind,
wiped or rolled back is healed by the same loop, and one that is ahead or differs makes it stop and shout.
"""

import asyncio

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared import faults
from shared.contracts.entry import parse, subject_of_envelope
from shared.database import DATABASE_TROUBLES, AdvisoryLock
from shared.eventstore.store import EventStore
from shared.ids import new_id
from shared.messaging.bus import Bus, BusUnavailable
from shared.messaging.streams import (
    Doorbell,
    NoLeader,
    PublishRefused,
    Stream,
    StreamMissing,
    WrongSequence,
    publish_batch,
    publish_one,
)
from shared.tasks import end

log = structlog.get_logger()
BATCH = 250
POLL_SECONDS = 0.25
_SHOUT_EVERY = 5.0
_WRONG_LAST_SEQUENCE = 10071
_QUIET_REFUSALS = 5
_PASSING = (BusUnavailable, NatsError, NoLeader, StreamMissing, TimeoutError, OSError, *DATABASE_TROUBLES)


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
        store.on_commit(self._bell.ring)

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
                    await self._bell.wait(POLL_SECONDS)
                    await self._catch_up(client)
                    self.stopped = None
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
        last = await self._verified_end(client)
        if last < self.acknowledged:
            log.warning("relay.stream_lost_its_tail", had=self.acknowledged, has=last)
        self.acknowledged = last
        self.head = await self._store.head()
        async for entries in self._store.replay_entries(after=last, upto=self.head, batch=BATCH):
            messages = [(subject_of_envelope(parse(entry)), entry) for _, entry in entries]
            first = entries[0][0]
            if first != self.acknowledged + 1:
                raise WrongSequence(f"the store has a gap before position {first}")
            faults.reach(faults.Point.before_publish)
            if len(messages) == 1:
                await publish_one(client, *messages[0], first)
            else:
                await publish_batch(client, new_id(), first, messages)
            faults.reach(faults.Point.published)
            self.acknowledged = entries[-1][0]
            self._refusals = 0
            await client.publish(f"{self.service}.bell", b"")

    async def _verified_end(self, client: Client) -> int:
        """The stream's last sequence, its bytes compared with the store's at that position."""
        last = await self._stream.last_sequence(client)
        if last == 0:
            return 0
        there = await self._stream.message_at(client, last)
        async for entries in self._store.replay_entries(after=last - 1, upto=last, batch=1):
            if entries[0][1] == there:
                return last
            raise StreamDiffers(f"the stream {self._stream.name} differs from the store at position {last}")
        raise StreamDiffers(
            f"the stream {self._stream.name} is ahead of the store: {last} against {await self._store.head()}"
        )
