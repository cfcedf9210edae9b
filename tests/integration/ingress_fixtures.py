"""A registry that takes commands from real NATS, and a school's system that publishes them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import orjson
import pytest
from nats.aio.client import Client

from deploy.engines import NatsEngine
from services.registry.operations import Registry
from services.registry.settings import RegistrySettings
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    YEAR,
    OpenRegistry,
    opened,
    with_school,
)


@pytest.fixture(scope="module")
def bus(folder: Path) -> Iterator[NatsEngine]:
    engine = NatsEngine(folder / "registry-nats")
    engine.start()
    asyncio.run(engine.provision())
    asyncio.run(engine.add_school(SCHOOL))
    asyncio.run(engine.add_school(OTHER_SCHOOL))
    yield engine
    engine.stop()


@pytest.fixture
async def reopen(
    registry_settings: RegistrySettings, kek_file: Path, bus: NatsEngine
) -> AsyncIterator[OpenRegistry]:
    """Opens the registry on the same database and bus, each time anew."""
    await bus.wipe()
    async with connected(bus, "registry_admin") as admin:
        await admin.jetstream().purge_stream("INGRESS")

    @asynccontextmanager
    async def make() -> AsyncIterator[Registry]:
        async with opened(registry_settings, kek_file, bus) as registry:
            await with_school(registry)
            registry.runtime.take_commands(registry.commands.handle)
            yield registry

    yield make


@asynccontextmanager
async def connected(bus: NatsEngine, user: str) -> AsyncIterator[Client]:
    client = await nats.connect(
        bus.url, nkeys_seed=str(bus.seed_file(user)), inbox_prefix=f"_INBOX_{user}".encode()
    )
    try:
        yield client
    finally:
        await client.close()


def school_system(bus: NatsEngine, school: str = SCHOOL) -> AbstractAsyncContextManager[Client]:
    return connected(bus, f"school_{school}")


def command(message_id: str = "m1", pupil: str = "77", **changes: Any) -> bytes:
    data = {
        "school_year": YEAR,
        "class": {"id": "c1", "grade": 1, "section": "A"},
        "pupil": {"id": pupil, "family_name": "Verdi", "given_name": f"Anna {pupil}"},
        "guardians": [{"id": f"g{pupil}", "family_name": "Verdi", "given_name": "Carla"}],
    }
    usual = {"id": message_id, "source": "registro", "command": "Enrol", "data": data}
    return orjson.dumps(usual | changes)


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await true():
        assert asyncio.get_running_loop().time() < deadline, "it never came about"
        await asyncio.sleep(0.05)


async def emptied(bus: NatsEngine) -> None:
    """Until every command was acknowledged."""
    async with connected(bus, "registry_admin") as admin:

        async def nothing_left() -> bool:
            return (await admin.jetstream().stream_info("INGRESS")).state.messages == 0

        await until(nothing_left)
