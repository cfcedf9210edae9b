"""A service's stream beside its store, message by message, byte by byte (DESIGN 4, relay)."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
from nats.aio.client import Client

from deploy.inspection.aggregates import UNREADABLE
from deploy.inspection.snapshots import SQL
from shared.contracts.entry import subject_of
from shared.messaging.streams import Message, Stream

_BATCH = 1000
_MAX_BYTES = 4 << 20
_POLL = 0.2
_LAGGING_TRIES = 10
Foreign = Callable[[Message], None]
"""Told of each message that is not the store's."""


@dataclass(slots=True)
class Comparison:
    """`head`: the store's last position, asked after `last`, the stream's. `first`: the lowest sequence at which
    they differ, None when they are equal as far as both go; `differing`: at how many they do."""

    service: str
    head: int = 0
    last: int = 0
    first: int | None = None
    differing: int = 0

    @property
    def behind(self) -> int:
        return max(0, self.head - self.last)

    @property
    def ahead(self) -> int:
        return max(0, self.last - self.head)

    @property
    def name(self) -> str:
        return self.service.upper()

    def differs_at(self, sequence: int) -> None:
        self.differing += 1
        self.first = sequence if self.first is None else min(self.first, sequence)


def _ignore(_: Message) -> None:
    """Who need not know which messages are foreign."""


async def compare(
    store: asyncpg.Connection,
    client: Client,
    service: str,
    *,
    foreign: Foreign = _ignore,
    patience: float = 5.0,
) -> Comparison:
    """Compare all that both hold. A stream that is behind gets `patience` seconds at a time to move on.

    `client` is the service's own user. Errors: StreamMissing, NoLeader, TimeoutError, those of NATS and asyncpg.
    """
    stream = Stream(service.upper(), foreign=False)
    found = Comparison(service)
    found.last = await stream.last_sequence(client)
    found.head = int(await store.fetchval(SQL("head")))
    await _let_it_catch_up(stream, client, found, patience)
    after = 0
    while after < found.last:
        messages = await _messages(stream, client, after, found.last)
        upto = messages[-1].sequence if messages else found.last
        entries = await _entries(store, after, min(upto, found.head))
        there = {message.sequence: message for message in messages}
        for sequence in range(after + 1, upto + 1):
            message = there.get(sequence)
            if message is None or not _same(message, entries.get(sequence)):
                found.differs_at(sequence)
                if message is not None:
                    foreign(message)
        after = upto
    return found


async def _messages(stream: Stream, client: Client, after: int, last: int) -> list[Message]:
    """The next ones up to `last`; none only where a replica that is asked again and again has none."""
    for _ in range(_LAGGING_TRIES):
        fetched = await stream.fetch(client, after, min(_BATCH, last - after), _MAX_BYTES)
        if messages := [message for message in fetched.messages if message.sequence <= last]:
            return messages
        await asyncio.sleep(_POLL / 2)
    return []


def _same(message: Message, entry: bytes | None) -> bool:
    if entry is None or message.data != entry:
        return False
    try:
        return message.subject == subject_of(entry)
    except UNREADABLE:
        return False


async def _entries(store: asyncpg.Connection, after: int, upto: int) -> dict[int, bytes]:
    rows = await store.fetch(SQL("store_after"), after, upto, max(1, upto - after))
    return {row["position"]: row["entry"] for row in rows}


async def _let_it_catch_up(stream: Stream, client: Client, found: Comparison, patience: float) -> None:
    """As long as it moves."""
    moved = time.monotonic()
    while found.behind and time.monotonic() - moved < patience:
        await asyncio.sleep(_POLL)
        last = await stream.last_sequence(client)
        if last != found.last:
            moved, found.last = time.monotonic(), min(last, found.head)
