"""The bus: relay and reader beside bare publishing and bare pulling of the same bytes, on the same server.

The floor of either is the fastest of several bare ways: tried three times each, the highest median is what ours is
measured beside.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from statistics import median

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from shared import migrations
from shared.contracts.entry import subject_of
from shared.contracts.event import Event, Recorded
from shared.database import AdvisoryLock, open_pool
from shared.eventstore.projection import Projector
from shared.eventstore.store import EventStore
from shared.eventstore.units import Unit
from shared.ids import new_id
from shared.keyring.keyring import Keyring
from shared.messaging.bus import Bus
from shared.messaging.reader import Reader
from shared.messaging.relay import Relay
from shared.runtime import KERNEL
from tests.benchmarks.figure import Bar, Bench, Figure, Work, benchmark
from tests.benchmarks.ground import new_database
from tests.benchmarks.history import KEK, live, make_place, opened

Outgoing = tuple[str, bytes]
Publish = Callable[[Client, Sequence[Outgoing]], Awaitable[None]]
_DIRECT = (500, 2000)
_BYTES = 4 << 20
_TRIES = 3


@benchmark("bus")
async def bus(bench: Bench) -> list[Figure]:
    """One history: published by relay and barely, then read by reader and barely."""
    place = await make_place(bench)
    await live(place, range(2), 10_000 if bench.long else 2_000)
    async with opened(place) as store, connected(bench, "registry") as (own, client):
        history = [entry async for batch in store.replay_entries() for entry in batch]
        messages = [(subject_of(entry), entry) for _, entry in history]

        async def relayed() -> float:
            await bench.bus.wipe("REGISTRY")
            lock = AdvisoryLock(place.runtime_url, "relay")
            await lock.acquire()
            relay = Relay("registry", store, own, lock)
            began = time.perf_counter()
            relay.start()
            try:
                await _until(lambda: relay.acknowledged == len(messages))
                return len(messages) / (time.perf_counter() - began)
            finally:
                await relay.close()

        async def barely(publish: Publish) -> float:
            await bench.bus.wipe("REGISTRY")
            began = time.perf_counter()
            await publish(client, messages)
            return len(messages) / (time.perf_counter() - began)

        fastest = await _fastest(bench, [partial(barely, publish) for publish in _PUBLISHING])
        work = f"{len(messages):,} events, {sum(len(entry) for _, entry in messages) / 1e6:.0f} MB"
        relay = await bench.compare(
            "relay", "events/s", work, Bar("floor", "least", 0.8), floor=fastest, value=relayed
        )
        return [relay, await _reading(bench, len(messages), work)]


async def _reading(bench: Bench, count: int, work: str) -> Figure:
    url = await _identity(bench)
    pool = await open_pool(url, name="bench")
    keys = await open_pool(bench.postgres.urls("identity").keyring, name="bench", most=2)
    store = EventStore("identity", pool, Keyring(keys, KEK), Projector(lambda _: ()))

    async with (
        connected(bench, "identity") as (own, client),
        connected(bench, "registry_admin") as (_, admin),
    ):

        async def read() -> float:
            await pool.execute("update events.cursors set position = 0")
            lock = AdvisoryLock(url, "reader:registry")
            await lock.acquire()
            reader = Reader("registry", store, own, lock, _nothing, frozenset({"registry"}), frozenset())
            began = time.perf_counter()
            await reader.start()
            try:
                await _until(lambda: reader.position == count)
                return count / (time.perf_counter() - began)
            finally:
                await reader.close()

        async def barely(pull: Callable[[], Awaitable[None]]) -> float:
            began = time.perf_counter()
            await pull()
            return count / (time.perf_counter() - began)

        ways = [partial(pull_consumer, admin, count)]
        ways += [partial(pull_directly, client, count, batch) for batch in _DIRECT]
        fastest = await _fastest(bench, [partial(barely, way) for way in ways])
        bar = Bar("floor", "least", 0.8)
        try:
            return await bench.compare(
                "reader, empty policy", "events/s", work, bar, value=read, floor=fastest
            )
        finally:
            await asyncio.gather(pool.close(), keys.close())


async def _nothing(_: Sequence[Recorded[Event]]) -> Sequence[Unit]:
    return ()


async def _identity(bench: Bench) -> str:
    """The URL of an empty store of identity's."""
    name = await new_database(bench, "identity_owner")
    eventstore = [("eventstore", KERNEL / "eventstore" / "migrations")]
    await migrations.migrate(
        bench.postgres.role_url("identity_owner", name), eventstore, service_role="identity"
    )
    return bench.postgres.role_url("identity", name)


@asynccontextmanager
async def connected(bench: Bench, user: str) -> AsyncIterator[tuple[Bus, Client]]:
    """A service's own connection, and a bare one of the same user."""
    seed = bench.bus.seed_file(user)
    own = Bus(bench.bus.url, user, seed)
    own.start()
    bare = await nats.connect(bench.bus.url, nkeys_seed=str(seed), inbox_prefix=f"_INBOX_{user}".encode())
    try:
        await own.connected()
        yield own, bare
    finally:
        await bare.close()
        await own.close()


async def pipelined(client: Client, messages: Sequence[Outgoing], window: int) -> None:
    """Each message acknowledged by itself, `window` of them under way at once."""
    acknowledged, done, room = 0, asyncio.Event(), asyncio.Event()

    async def on_acknowledgement(_: Msg) -> None:
        nonlocal acknowledged
        acknowledged += 1
        room.set()
        if acknowledged == len(messages):
            done.set()

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=on_acknowledgement)
    for sent, (subject, entry) in enumerate(messages):
        while sent - acknowledged >= window:
            room.clear()
            await room.wait()
        await client.publish(subject, entry, reply=inbox)
    await done.wait()
    await subscription.unsubscribe()


async def atomic_batches(client: Client, messages: Sequence[Outgoing], size: int, at_once: int) -> None:
    free = asyncio.Semaphore(at_once)

    async def commit(subject: str, entry: bytes, headers: dict[str, str], upto: int) -> None:
        reply = await client.request(subject, entry, timeout=10, headers=headers)
        assert json.loads(reply.data)["seq"] == upto
        free.release()

    commits = []
    for after in range(0, len(messages), size):
        await free.acquire()
        batch, batch_id = messages[after : after + size], new_id()
        for number, (subject, entry) in enumerate(batch, 1):
            headers = {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)}
            if number < len(batch):
                await client.publish(subject, entry, headers=headers)
                continue
            headers["Nats-Batch-Commit"] = "1"
            commits.append(asyncio.create_task(commit(subject, entry, headers, after + number)))
            await asyncio.sleep(0)
    await asyncio.gather(*commits)


_PUBLISHING: tuple[Publish, ...] = (
    partial(pipelined, window=500),
    partial(pipelined, window=4000),
    *(partial(atomic_batches, size=size, at_once=n) for size in (500, 1000) for n in (1, 2)),
)


async def pull_directly(client: Client, count: int, batch: int) -> None:
    """Direct gets in batches, as an importing account may ask for."""
    after = 0
    while after < count:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        got: list[bytes] = []

        async def on_message(
            message: Msg, got: list[bytes] = got, ended: "asyncio.Future[None]" = ended
        ) -> None:
            if message.headers and "Status" in message.headers:
                ended.set_result(None)
            else:
                got.append(message.data)

        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=on_message)
        request = json.dumps({"seq": after + 1, "batch": batch, "max_bytes": _BYTES}).encode()
        await client.publish("JS.REGISTRY.API.DIRECT.GET.REGISTRY", request, reply=inbox)
        await ended
        await subscription.unsubscribe()
        after += len(got)


async def pull_consumer(client: Client, count: int) -> None:
    """A pull consumer without acknowledgements, made by the stream's owner."""
    consumer = ConsumerConfig(ack_policy=AckPolicy.NONE)
    queue = await client.jetstream().pull_subscribe("registry.evt.>", stream="REGISTRY", config=consumer)
    got = 0
    while got < count:
        got += len(await queue.fetch(min(2000, count - got)))
    await queue.unsubscribe()


async def _fastest(bench: Bench, ways: Sequence[Work]) -> Work:
    """The one of the highest median rate: the best single try of many would be luck."""
    rates = [[await way() for way in ways] for _ in range(_TRIES if bench.long else 1)]
    medians = [median(of_way) for of_way in zip(*rates, strict=True)]
    return ways[medians.index(max(medians))]


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not true():
            await asyncio.sleep(0.001)
