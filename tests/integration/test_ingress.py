"""The ingress on a real NATS: acknowledged after its commit, and nobody's message holds up another's (S3)."""

from collections.abc import AsyncIterator, Sequence

import nats
import pytest
from nats.aio.client import Client

from deploy.engines import NatsEngine
from shared.keyring.keyring import KeyEncryptionKey
from shared.messaging.bus import Bus
from shared.messaging.ingress import Incoming, Ingress, Poison
from tests.conftest import Kernel
from tests.integration.messaging_fixtures import until

SCHOOL = "TOIS0000ZZ"
SUBJECT = f"ingress.{SCHOOL}.cmd"


@pytest.fixture
async def school(nats_server: NatsEngine) -> AsyncIterator[Client]:
    if not nats_server.alive:
        nats_server.start()
    seed = await nats_server.add_school(SCHOOL)
    client = await nats.connect(
        nats_server.url, nkeys_seed=str(seed), inbox_prefix=f"_INBOX_school_{SCHOOL}".encode()
    )
    yield client
    await client.close()


async def handle(batch: Sequence[Incoming]) -> Sequence[Poison | None]:
    """Fails as a whole for one message, and names another by an id that no database takes."""
    if any(message.payload == b"fails" for message in batch):
        raise ValueError("a fault of ours")
    return [
        Poison("not what it should be", "a\0b") if message.payload == b"nul" else None for message in batch
    ]


async def test_one_message_that_cannot_be_carried_out_holds_up_no_other(
    kernel: Kernel, kek: KeyEncryptionKey, nats_server: NatsEngine, school: Client
) -> None:
    store = await kernel.store("registry")
    bus = Bus(nats_server.url, "registry", nats_server.seed_file("registry"))
    bus.start()
    ingress = Ingress(store, bus, kek, handle)
    for payload in (b"good", b"fails", b"nul", b"good too"):
        await school.publish(SUBJECT, payload)
    await school.flush()
    ingress.start()
    try:
        rows: list[str] = []

        async def settled() -> bool:
            rows[:] = [
                r["reason"]
                for r in await store.pool.fetch("select reason from events.quarantine order by id")
            ]
            return len(rows) == 2

        await until(settled, 20)
        assert rows == [
            "could not be carried out: ValueError",
            "could not be carried out: CharacterNotInRepertoireError",
        ]
        client = await bus.connected()
        info = await client.jetstream().consumer_info("INGRESS", "registry")
        await until(lambda: ingress.stopped is None)
        assert info.num_pending == 0
    finally:
        await ingress.close()
        await bus.close()


async def test_a_message_that_comes_again_is_in_quarantine_once(
    kernel: Kernel, kek: KeyEncryptionKey, nats_server: NatsEngine
) -> None:
    store = await kernel.store("registry")
    ingress = Ingress(store, Bus(nats_server.url, "registry", None), kek, handle)
    incoming = [Incoming(SCHOOL, b"payload")]
    for reason in ("first reason", "second reason"):
        await ingress.quarantine(incoming, [Poison(reason, "m-1")])
    rows = await store.pool.fetch("select reason, payload from events.quarantine")
    assert [r["reason"] for r in rows] == ["second reason"]
    assert b"payload" not in rows[0]["payload"], "what a school sent is kept sealed"
