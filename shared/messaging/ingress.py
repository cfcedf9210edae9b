"""The ingress: commands that school systems publish, not facts (S3, DESIGN 4).

A message is acknowledged after its commit. Its (school, id) is an idempotency key, so a repeat does nothing;
a message that cannot be carried out goes to quarantine with its reason, and the queue goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout

from shared.eventstore.store import EventStore
from shared.keyring.keyring import KeyEncryptionKey
from shared.messaging.bus import Bus, BusUnavailable
from shared.sql import Statements
from shared.tasks import end

log = structlog.get_logger()
SQL = Statements(__file__)
BATCH = 200


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
            try:
                client = await self._bus.connected()
                queue = await client.jetstream().pull_subscribe_bind("registry", stream="INGRESS")
                self.stopped = None
                while True:
                    try:
                        messages = await queue.fetch(BATCH, timeout=5)
                    except NatsTimeout:
                        _ = self._bus.client
                        continue
                    await self._take(messages)
            except asyncio.CancelledError:
                raise
            except (NatsError, BusUnavailable, TimeoutError, OSError) as trouble:
                self.stopped = type(trouble).__name__
                await asyncio.sleep(0.5)
            except Exception as fault:
                self.stopped = type(fault).__name__
                log.error("ingress.failed", error=type(fault).__name__)
                await asyncio.sleep(1.0)

    async def _take(self, messages: Sequence[Msg]) -> None:
        incoming = [Incoming(m.subject.split(".")[1], m.data) for m in messages]
        answers = await self._handle(incoming)
        await self.quarantine(incoming, answers)
        for message in messages:
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
