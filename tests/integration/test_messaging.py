"""Relay and reader on a real NATS: the stream is what the store is, whatever happens to either (B5, DESIGN 4)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
import nats
import orjson
import pytest
from nats.aio.client import Client

from deploy.engines import NatsEngine
from shared.contracts.event import Event, Recorded, because_of
from shared.contracts.registry import StudentEnrolled
from shared.database import AdvisoryLock
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Unit
from shared.messaging.bus import Bus
from shared.messaging.reader import Reader
from shared.messaging.relay import BATCH_BYTES, Relay, atomic_batches
from shared.messaging.streams import ATOMIC_MOST, Fetched, Outgoing, Stream, StreamMissing, publish
from tests.conftest import Kernel
from tests.samples import CONTEXT, SCHOOL, enrolled, moved, unit


async def until(true: Callable[[], Awaitable[bool] | bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while True:
            answer = true()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.02)


@dataclass
class Buses:
    server: NatsEngine
    opened: list[Bus]

    async def of(self, user: str) -> Bus:
        bus = Bus(self.server.url, user, self.server.seed_file(user))
        bus.start()
        self.opened.append(bus)
        await asyncio.wait_for(bus.connected(), 10)
        return bus


@pytest.fixture
async def buses(nats_server: NatsEngine) -> AsyncIterator[Buses]:
    if not nats_server.alive:
        nats_server.start()
    await nats_server.wipe()
    made = Buses(nats_server, [])
    yield made
    for bus in made.opened:
        await bus.close()


class Published:
    """A store with its relay."""

    def __init__(self, store: EventStore, relay: Relay, url: str, bus: Bus) -> None:
        self.store = store
        self.relay = relay
        self.url = url
        self.bus = bus

    async def add(self, count: int) -> None:
        await self.store.commit(
            [unit(e, stream=f"student/{e.student}") for e in (enrolled() for _ in range(count))]
        )

    async def level(self) -> bool:
        return self.relay.acknowledged == await self.store.head()


@pytest.fixture
async def published(kernel: Kernel, buses: Buses) -> AsyncIterator[Published]:
    database = await kernel.database("registry")
    store = await kernel.store("registry", database=database)
    bus = await buses.of("registry")
    url = kernel.postgres.role_url("registry", database)
    relay = Relay("registry", store, bus, AdvisoryLock(url, "relay"))
    relay.start()
    yield Published(store, relay, url, bus)
    await relay.close()


async def stream_entries(bus: Bus, name: str, *, foreign: bool) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while got := (await Stream(name, foreign=foreign).fetch(bus.client, len(found), 500, 1 << 20)).messages:
        found += [(m.sequence, m.data) for m in got]
    return found


async def assert_replica(published: Published, buses: Buses) -> None:
    there = await stream_entries(await buses.of("identity"), "REGISTRY", foreign=True)
    stored = [row async for batch in published.store.replay_entries() for row in batch]
    assert there == stored


@pytest.mark.requirement("B5", part="positions equal sequences")
async def test_the_sequence_of_a_message_is_the_position_of_the_event(
    published: Published, buses: Buses
) -> None:
    for count in (1, 3, 700, 1):
        await published.add(count)
    await until(published.level)
    await assert_replica(published, buses)


@pytest.mark.requirement("B5")
async def test_what_nobody_awaits_is_published_as_well(
    published: Published, buses: Buses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StudentEnrolled, "awaited", False)
    await published.add(1)
    await published.add(2)
    await until(published.level)
    await assert_replica(published, buses)


async def test_a_wiped_stream_comes_back_with_the_same_numbers(published: Published, buses: Buses) -> None:
    await published.add(300)
    await until(published.level)
    await buses.server.wipe("REGISTRY")
    await published.add(5)
    bus = await buses.of("identity")

    async def healed() -> bool:
        return len(await stream_entries(bus, "REGISTRY", foreign=True)) == 305

    await until(healed)
    await assert_replica(published, buses)


async def test_a_stopped_bus_is_caught_up_with(published: Published, buses: Buses) -> None:
    await published.add(10)
    await until(published.level)
    buses.server.kill()
    await published.add(20)
    assert await published.store.head() == 30
    await asyncio.to_thread(lambda: None)
    buses.server.start()
    await until(published.level, 20)
    await assert_replica(published, buses)


@pytest.mark.parametrize("idle", [True, False])
async def test_a_foreign_message_makes_the_relay_stop_and_shout(
    published: Published, buses: Buses, idle: bool
) -> None:
    await published.add(3)
    await until(published.level)
    admin = await nats.connect(
        buses.server.url,
        nkeys_seed=str(buses.server.seed_file("registry_admin")),
        inbox_prefix=b"_INBOX_registry_admin",
    )
    await admin.jetstream().publish("registry.evt.X.student.Forged", b"forged")
    if not idle:
        await published.add(2)
    await admin.close()
    await until(lambda: published.relay.stopped is not None and "REGISTRY" in published.relay.stopped)
    there = await stream_entries(await buses.of("identity"), "REGISTRY", foreign=True)
    assert len(there) == 4, "nothing was published on top of the forged message"


async def test_two_relays_never_interleave(published: Published, buses: Buses) -> None:
    """Even were the lock broken: the loser is refused by the sequence check, and nothing is lost or doubled."""
    unlocked = AdvisoryLock(published.url, "another lock, as if it were broken")
    twin = Relay("registry", published.store, await buses.of("registry"), unlocked)
    twin.start()
    try:
        for _ in range(20):
            await published.add(7)
        await until(published.level)
        await assert_replica(published, buses)
        assert published.relay.stopped is None and twin.stopped is None
    finally:
        await twin.close()


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


async def test_a_replica_that_lags_is_not_taken_for_a_stream_that_differs(
    published: Published, buses: Buses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leader tells of a message that the replica which answers a direct get has not got yet."""
    await published.add(3)
    await until(published.level)
    shown = Stream.last_sequence

    async def one_ahead_of_the_replica(self: Stream, client: Client) -> int:
        return await shown(self, client) + 1

    monkeypatch.setattr(Stream, "last_sequence", one_ahead_of_the_replica)
    await published.add(2)
    await until(lambda: published.relay.stopped is not None)
    assert published.relay.stopped == "the stream REGISTRY does not show its message 4"
    monkeypatch.undo()
    await until(published.level)
    await assert_replica(published, buses)
    assert published.relay.stopped is None


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


def test_what_is_published_at_once_is_bounded_by_count_and_by_bytes() -> None:
    small = [Outgoing(n, "s", b"x") for n in range(1, ATOMIC_MOST + 2)]
    assert [len(batch) for batch in atomic_batches(small)] == [ATOMIC_MOST, 1]
    large = [Outgoing(n, "s", bytes(65_535)) for n in range(1, 201)]
    batches = list(atomic_batches(large))
    assert max(sum(len(m.entry) for m in batch) for batch in batches) <= BATCH_BYTES
    assert [m for batch in batches for m in batch] == large


async def test_nobody_waits_for_a_service_that_is_not_followed(
    published: Published, reading: Callable[..., Awaitable[Reading]]
) -> None:
    await published.store.pool.execute("insert into events.cursors values ('notifications', 5)")
    await published.add(3)
    read = await reading(follows=frozenset({"registry"}))
    await until(lambda: read.answered == [1, 2, 3])


async def test_a_stream_that_is_gone_is_not_an_empty_one(published: Published, buses: Buses) -> None:
    await published.add(3)
    await until(published.level)
    bus = await buses.of("identity")
    admin = await nats.connect(
        buses.server.url,
        nkeys_seed=str(buses.server.seed_file("registry_admin")),
        inbox_prefix=b"_INBOX_registry_admin",
    )
    await admin.jetstream().delete_stream("REGISTRY")
    await admin.close()
    try:
        with pytest.raises(StreamMissing):
            await Stream("REGISTRY", foreign=True).fetch(bus.client, 0, 10, 1 << 20)
        await until(lambda: published.relay.stopped is not None)
    finally:
        await buses.server.provision()

    async def healed() -> bool:
        return len(await stream_entries(bus, "REGISTRY", foreign=True)) == 3

    await until(healed)
    await assert_replica(published, buses)


async def test_a_closed_connection_is_made_anew(published: Published, buses: Buses) -> None:
    await published.add(3)
    await until(published.level)
    await published.bus.client.close()
    await published.add(4)
    await until(published.level, 20)
    await assert_replica(published, buses)


async def test_a_stream_that_refuses_for_ever_is_told(published: Published, buses: Buses) -> None:
    await published.add(3)
    await until(published.level)
    admin = await nats.connect(
        buses.server.url,
        nkeys_seed=str(buses.server.seed_file("registry_admin")),
        inbox_prefix=b"_INBOX_registry_admin",
    )
    manager = admin.jetstream()
    config = (await manager.stream_info("REGISTRY")).config
    config.max_msgs = 3
    await manager.update_stream(config)
    await published.add(2)
    await until(lambda: published.relay.stopped is not None and "refuses" in published.relay.stopped)
    config.max_msgs = -1
    await manager.update_stream(config)
    await admin.close()
    await until(published.level, 20)
    assert published.relay.stopped is None


@pytest.mark.requirement("B1", part="nothing personal on the bus")
async def test_what_is_on_the_bus_is_sealed(published: Published, buses: Buses) -> None:
    event = enrolled(family="Riservatissimi", given="Segretina")
    await published.store.commit([unit(event, stream=f"student/{event.student}")])
    await until(published.level)
    ((_, entry),) = await stream_entries(await buses.of("notifications"), "REGISTRY", foreign=True)
    assert b"Riservatissimi" not in entry and b"Segretina" not in entry
    assert orjson.loads(entry)["data"]["details"].keys() == {"person", "purpose", "key", "sealed"}
    assert CONTEXT.actor == orjson.loads(entry)["actor"]
