"""Commands that school systems publish on real NATS: carried out once, repeated harmlessly, or quarantined (S3)."""

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
from shared.contracts.registry import StudentEnrolled
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    YEAR,
    events_of,
    kek_file,
    opened,
    registry_settings,
    settled,
    with_school,
)

__all__ = ["kek_file", "registry_settings"]
OpenRegistry = Callable[[], Any]


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


async def enrolled(registry: Registry) -> list[StudentEnrolled]:
    return [event for event in await events_of(registry) if isinstance(event, StudentEnrolled)]


@pytest.mark.requirement("S3", part="on the bus, idempotent")
async def test_a_command_is_carried_out_once(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus) as system:
        for _ in range(3):
            await system.request(f"ingress.{SCHOOL}.cmd", command(), timeout=2)
        await emptied(bus)
        assert len(await enrolled(registry)) == 1
        assert await registry.quarantined() == []
        head = await registry.store.head()
        await system.request(f"ingress.{SCHOOL}.cmd", command("m2"), timeout=2)
        await emptied(bus)
        assert await registry.store.head() == head
        await settled(registry.runtime)


async def test_what_came_while_nobody_listened_is_not_lost(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with school_system(bus) as system:
        for n in range(20):
            await system.request(f"ingress.{SCHOOL}.cmd", command(f"m{n}", str(n)), timeout=2)
    async with reopen() as registry:
        await emptied(bus)
        assert len(await enrolled(registry)) == 20


async def test_poison_is_put_aside_and_stops_nobody(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus) as system, school_system(bus, OTHER_SCHOOL) as other:
        poison = [
            b"\xff\x00",
            command("m1", command="Erase"),
            command("m2", data={"school": OTHER_SCHOOL}),
            command("m3", data={"school_year": YEAR, "password": "segreta"}),
        ]
        for payload in (*poison, command("m4")):
            await system.request(f"ingress.{SCHOOL}.cmd", payload, timeout=2)
        await other.request(f"ingress.{OTHER_SCHOOL}.cmd", command("m1"), timeout=2)
        await emptied(bus)
        assert len(await enrolled(registry)) == 1
        found = await registry.quarantined()
        assert len(found) == 5
        by_school = {q.school: q.reason for q in found if q.school == OTHER_SCHOOL}
        assert by_school == {OTHER_SCHOOL: "the school is not registered here"}
        rows = await registry.runtime.pool.fetch("select payload, reason from events.quarantine")
        assert all(b"segreta" not in row["payload"] and b"Verdi" not in row["payload"] for row in rows)
        assert all("segreta" not in row["reason"] for row in rows)


async def test_quarantine_is_retried_or_settled(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus, OTHER_SCHOOL) as other:
        await other.request(f"ingress.{OTHER_SCHOOL}.cmd", command(), timeout=2)
        await other.request(f"ingress.{OTHER_SCHOOL}.cmd", b"{", timeout=2)
        await emptied(bus)
        first, second = await registry.quarantined()
        assert await registry.retry_quarantined(first.id) == "the school is not registered here"
        await with_school(registry, OTHER_SCHOOL, "altra")
        assert await registry.retry_quarantined(first.id) is None
        assert [q.id for q in await registry.quarantined()] == [second.id]
        assert await registry.settle_quarantined(second.id)
        assert await registry.quarantined() == []
        assert len(await enrolled(registry)) == 1
        with pytest.raises(KeyError):
            await registry.retry_quarantined(first.id)


async def test_an_id_used_for_another_enrolment_is_poison(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus) as system:
        await system.request(f"ingress.{SCHOOL}.cmd", command("m1", "1"), timeout=2)
        await system.request(f"ingress.{SCHOOL}.cmd", command("m1", "2"), timeout=2)
        await emptied(bus)
        (found,) = await registry.quarantined()
        assert found.reason == "this id was used before, for another enrolment"
        assert found.message_id == "m1"
        assert len(await enrolled(registry)) == 1
