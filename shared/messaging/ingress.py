"""The ingress: commands that school systems publish, not facts (S3, DESIGN 4).

A message is acknowledged after its commit. Its (school, id) is an idempotency key, so a repeat does nothing;
a message that cannot be carried out goes to quarantine with its reason, and the queue goes on.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.client import JetStreamContext

from shared import faults
from shared.database import DATABASE_TROUBLES
from shared.eventstore.store import EventStore
from shared.eventstore.units import ConcurrencyConflict
from shared.keyring.keyring import KeyEncryptionKey
from shared.messaging.bus import Bus, BusUnavailable
from shared.sql import Statements
from shared.tasks import end

log = structlog.get_logger()
SQL = Statements(__file__)
BATCH = 200
_PASSING = (NatsError, BusUnavailable, TimeoutError, OSError, ConcurrencyConflict, *DATABASE_TROUBLES)


@dataclass(frozen=True, slots=True)
class Poison:
    """Why a message cannot be carried out; `reason` is for people and carries nothing of the message."""

    reason: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """`school` is the account that published it, taken from the subject: never from the payload."""

    school: str
    payload: bytes


Handle = Callable[[Sequence[Incoming]], Awaitable[Sequence[Poison | None]]]
"""Carries out a batch and commits; answers, in order, which messages are poison."""


class Ingress:
    def __init__(self, store: EventStore, bus: Bus, kek: KeyEncryptionKey, handle: Handle) -> None:
        self.stopped: str | None = None
        self._store = store
        self._bus = bus
        self._kek = kek
        self._handle = handle
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="ingress")

    async def close(self) -> None:
        await end(self._task)

    async def _run(self) -> None:
        while True:
            queue: JetStreamContext.PullSubscription | None = None
            try:
                client = await self._bus.connected()
                queue = await client.jetstream().pull_subscribe_bind("registry", stream="INGRESS")
                while True:
                    await self._take(await self._fetch(queue))
                    self.stopped = None
            except asyncio.CancelledError:
                raise
            except (NatsError, BusUnavailable, TimeoutError, OSError, *DATABASE_TROUBLES) as trouble:
                self.stopped = type(trouble).__name__
                await asyncio.sleep(0.5)
            except Exception as fault:
                self.stopped = type(fault).__name__
                log.error("ingress.failed", error=type(fault).__name__)
                await asyncio.sleep(1.0)
            finally:
                if queue is not None:
                    with contextlib.suppress(Exception):
                        await queue.unsubscribe()

    async def _fetch(self, queue: JetStreamContext.PullSubscription) -> Sequence[Msg]:
        try:
            return await queue.fetch(BATCH, timeout=5)
        except NatsTimeout:
            _ = self._bus.client
            return ()

    async def _take(self, messages: Sequence[Msg]) -> None:
        """All at once; should that fail, one by one, so that one message cannot hold up its neighbours."""
        if not messages:
            return
        try:
            await self._carry_out(messages)
        except _PASSING:
            raise
        except Exception as fault:
            log.warning("ingress.one_by_one", error=type(fault).__name__, count=len(messages))
            for message in messages:
                await self._carry_out_alone(message)

    async def _carry_out(self, messages: Sequence[Msg]) -> None:
        incoming = [_incoming(message) for message in messages]
        await self.quarantine(incoming, await self._handle(incoming))
        faults.reach(faults.Point.command_carried_out)
        for message in messages:
            await message.ack()

    async def _carry_out_alone(self, message: Msg) -> None:
        try:
            await self._carry_out([message])
        except _PASSING:
            raise
        except Exception as fault:
            poison = Poison(f"could not be carried out: {type(fault).__name__}")
            await self.quarantine([_incoming(message)], [poison])
            await message.ack()

    async def quarantine(self, incoming: Sequence[Incoming], answers: Sequence[Poison | None]) -> None:
        """Poison is kept sealed, with its reason, until somebody retries or settles it."""
        rows = [(m, p) for m, p in zip(incoming, answers, strict=True) if p is not None]
        if rows:
            await self._store.pool.execute(
                SQL("quarantine"),
                [m.school for m, _ in rows],
                [p.message_id for _, p in rows],
                [p.reason for _, p in rows],
                [self._kek.wrap(m.payload, f"quarantine/{m.school}".encode()) for m, _ in rows],
            )
            log.warning("ingress.quarantined", count=len(rows))


def _incoming(message: Msg) -> Incoming:
    return Incoming(message.subject.split(".")[1], message.data)
