"""The relay and the stream it keeps: it is what the store is, whatever happens to either (B5, DESIGN 4)."""

import asyncio

import nats
import orjson
import pytest
from nats.aio.client import Client

from shared.contracts.registry import StudentEnrolled
from shared.database import AdvisoryLock
from shared.messaging.relay import BATCH_BYTES, Relay, atomic_batches
from shared.messaging.streams import ATOMIC_MOST, Outgoing, Stream, StreamMissing
from tests.integration.messaging_fixtures import (
    Buses,
    Published,
    buses,
    published,
    stream_entries,
    until,
)
from tests.samples import CONTEXT, enrolled, unit

__all__ = ["buses", "published"]


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


def test_what_is_published_at_once_is_bounded_by_count_and_by_bytes() -> None:
    small = [Outgoing(n, "s", b"x") for n in range(1, ATOMIC_MOST + 2)]
    assert [len(batch) for batch in atomic_batches(small)] == [ATOMIC_MOST, 1]
    large = [Outgoing(n, "s", bytes(65_535)) for n in range(1, 201)]
    batches = list(atomic_batches(large))
    assert max(sum(len(m.entry) for m in batch) for batch in batches) <= BATCH_BYTES
    assert [m for batch in batches for m in batch] == large


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
