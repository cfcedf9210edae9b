"""A reader on a real NATS: each event once, in order, and none skipped (DESIGN 4)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import orjson
import pytest
from nats.aio.client import Client

from shared.contracts.event import Event, Recorded, because_of
from shared.database import AdvisoryLock
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Unit
from shared.messaging.reader import Reader
from shared.messaging.streams import Fetched, Outgoing, Stream, publish
from tests.conftest import Kernel
from tests.integration.messaging_fixtures import (
    Buses,
    Published,
    buses,
    published,
    stream_entries,
    until,
)
from tests.samples import SCHOOL, enrolled, moved, unit

__all__ = ["buses", "published"]


class Reading:
    """A service that reads the registry and answers each event with one of its own."""

    def __init__(self, store: EventStore, reader: Reader, answered: list[int]) -> None:
        self.store = store
        self.reader = reader
        self.answered = answered


@pytest.fixture
async def reading(kernel: Kernel, buses: Buses) -> AsyncIterator[Callable[..., Awaitable[Reading]]]:
    readers: list[Reader] = []

    async def make(
        fails_on: Callable[[Recorded[Event]], bool] = lambda _: False,
        source: str = "registry",
        follows: frozenset[str] = frozenset({"registry", "notifications"}),
        heeds: frozenset[str] | None = None,
        in_time: int = 1_000,
    ) -> Reading:
        """`in_time`: how many events can be digested until the database's connections are cut again."""
        database = await kernel.database("identity")
        store = await kernel.store("identity", database=database)
        answered: list[int] = []

        async def react(events: Sequence[Recorded[Event]]) -> list[Unit]:
            if len(events) > in_time:
                raise asyncpg.ConnectionDoesNotExistError
            if any(fails_on(r) for r in events):
                raise ValueError("cannot be digested")
            answered.extend(r.position for r in events)
            return [
                Unit(
                    SCHOOL,
                    because_of(r, actor="service:identity"),
                    (Append(f"account/{r.id}", 0, (enrolled(),)),),
                )
                for r in events
            ]

        lock = AdvisoryLock(kernel.postgres.role_url("identity", database), f"reader:{source}")
        reader = Reader(source, store, await buses.of("identity"), lock, react, follows, heeds)
        readers.append(reader)
        await reader.start()
        return Reading(store, reader, answered)

    yield make
    for reader in readers:
        await reader.close()


async def test_a_reader_answers_each_event_once_and_in_order(
    published: Published, reading: Callable[..., Awaitable[Reading]]
) -> None:
    await published.add(40)
    read = await reading()
    await published.add(2)
    await until(lambda: read.reader.position == 42)
    assert read.answered == list(range(1, 43))
    assert await read.store.head() == 42
    assert await read.store.cursors() == {"registry": 42}
    caused = [r async for batch in read.store.replay() for r in batch]
    causes = [r.id async for batch in published.store.replay() for r in batch]
    assert [r.causation for r in caused] == causes
    assert {tuple(r.seen.items()) for r in caused} <= {(("registry", n),) for n in range(1, 43)}


async def test_a_wiped_bus_doubles_nothing_for_its_readers(
    published: Published, buses: Buses, reading: Callable[..., Awaitable[Reading]]
) -> None:
    await published.add(50)
    read = await reading()
    await until(lambda: read.reader.position == 50)
    await buses.server.wipe("REGISTRY")
    await published.add(10)
    await until(lambda: read.reader.position == 60, 20)
    assert await read.store.head() == 60


async def test_a_fact_that_cannot_be_digested_stops_the_reader_at_it(
    published: Published, reading: Callable[..., Awaitable[Reading]]
) -> None:
    read = await reading(fails_on=lambda recorded: recorded.position == 8)
    await published.add(20)
    await until(lambda: read.reader.stopped is not None)
    assert read.reader.stopped == "stopped after position 7: ValueError"
    assert await read.store.head() == 7
    assert await read.store.cursors() == {"registry": 7}


async def test_a_reader_gets_through_between_two_troubles(
    published: Published, reading: Callable[..., Awaitable[Reading]]
) -> None:
    await published.add(60)
    read = await reading(in_time=4)
    await until(lambda: read.reader.position == 60, 30)
    assert read.answered == list(range(1, 61))
    assert await read.store.head() == 60


async def test_an_event_waits_for_what_its_writer_had_seen(
    published: Published, reading: Callable[..., Awaitable[Reading]], kernel: Kernel
) -> None:
    """The registry wrote knowing notifications up to 5; who knows less must not read on."""
    await published.add(3)
    await published.store.pool.execute("insert into events.cursors values ('notifications', 5)")
    await published.add(1)
    read = await reading()
    await until(lambda: read.reader.position == 3)
    await asyncio.sleep(0.8)
    assert read.answered == [1, 2, 3]
    await read.store.pool.execute("insert into events.cursors values ('notifications', 5)")
    await until(lambda: read.answered == [1, 2, 3, 4])


async def test_what_nobody_heeds_is_passed_over(
    published: Published, reading: Callable[..., Awaitable[Reading]]
) -> None:
    """Not opened, not told of, and read for good: the cursor stands behind it."""
    heeded = [enrolled(), enrolled()]
    others = [moved(event.student) for event in heeded]
    for event, other in zip(heeded, others, strict=True):
        await published.store.commit([unit(other, stream=f"student/{other.student}")])
        await published.store.commit([unit(event, stream=f"student/{event.student}", expected=1)])
    await published.store.commit([unit(others[0], stream=f"student/{others[0].student}", expected=2)])
    read = await reading(heeds=frozenset({"StudentEnrolled"}))
    await until(lambda: read.reader.position == 5)
    assert read.answered == [2, 4]
    assert await read.store.cursors() == {"registry": 5}


async def test_a_contract_that_is_not_known_here_is_not_passed_over(
    published: Published, buses: Buses, reading: Callable[..., Awaitable[Reading]]
) -> None:
    """Nobody can tell whether it is heeded: it stops the reader behind what came before, as every fact that it cannot
    read."""
    await published.add(1)
    await until(published.level)
    ((_, entry),) = await stream_entries(await buses.of("identity"), "REGISTRY", foreign=True)
    later = orjson.loads(entry) | {"sequence": "2", "type": "custode.registry.FromALaterRelease.v1"}
    bus = await buses.of("registry")
    await publish(bus.client, [Outgoing(2, "registry.evt.X.student.FromALaterRelease", orjson.dumps(later))])
    read = await reading(heeds=frozenset())
    await until(lambda: read.reader.stopped is not None)
    assert read.reader.stopped is not None and "UnknownContract" in read.reader.stopped
    assert await read.store.cursors() == {"registry": 1}


async def test_a_reader_that_is_shown_less_than_was_announced_says_so(
    published: Published,
    buses: Buses,
    reading: Callable[..., Awaitable[Reading]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A replica that has lost touch answers that there is nothing more: true of itself, not of the stream."""
    monkeypatch.setattr("shared.messaging.reader.BEHIND_SECONDS", 0.3)
    await published.add(2)
    read = await reading()
    await until(lambda: read.reader.position == 2)
    whole = Stream.fetch

    async def of_the_replica(self: Stream, client: Client, after: int, batch: int, max_bytes: int) -> Fetched:
        return Fetched([], 0) if after >= 2 else await whole(self, client, after, batch, max_bytes)

    monkeypatch.setattr(Stream, "fetch", of_the_replica)
    await published.add(1)
    await until(lambda: read.reader.problem() is not None)
    assert "does not show what its relay has announced" in (read.reader.problem() or "")
    monkeypatch.setattr(Stream, "fetch", whole)
    await until(lambda: read.reader.position == 3 and read.reader.problem() is None)


async def test_nobody_waits_for_a_service_that_is_not_followed(
    published: Published, reading: Callable[..., Awaitable[Reading]]
) -> None:
    await published.store.pool.execute("insert into events.cursors values ('notifications', 5)")
    await published.add(3)
    read = await reading(follows=frozenset({"registry"}))
    await until(lambda: read.answered == [1, 2, 3])
