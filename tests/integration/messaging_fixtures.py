"""A store with its relay on a real NATS, and the bus as each service is let onto it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from deploy.engines import NatsEngine
from shared.database import AdvisoryLock
from shared.eventstore.store import EventStore
from shared.messaging.bus import Bus
from shared.messaging.relay import Relay
from shared.messaging.streams import Stream
from tests.conftest import Kernel
from tests.samples import enrolled, unit


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
