"""The whole way over the real bus: others publish, notifications reads, sends, and says so; no secret on the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import asyncpg
import nats
import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.epoch_keys import announce
from services.notifications.policies import follow_identity
from services.notifications.resending import follow_registry
from shared.contracts.event import INSTANCE, Event
from shared.contracts.identity import AccountRole
from shared.contracts.notifications import SealingKeyPublished
from shared.contracts.policy import PAPER, Channel
from shared.database import AdvisoryLock
from shared.messaging.bus import Bus
from shared.messaging.relay import Relay
from shared.sealing import public_key_text
from tests.integration.notifications_fixtures import SCHOOL, House, open_house
from tests.integration.notifications_web import Sessions, browser, front


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    for _ in range(int(seconds * 20)):
        if await holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about")


async def publish_as(
    stack: AsyncExitStack, house: House, postgres: PostgresEngine, bus: NatsEngine, service: str
) -> None:
    """Play another service's relay."""
    connection = Bus(bus.url, service, bus.seed_file(service))
    connection.start()
    stack.push_async_callback(connection.close)
    store = house.others[service]
    async with store.pool.acquire() as one:
        database = await one.fetchval("select current_database()")
    relay = Relay(service, store, connection, AdvisoryLock(postgres.role_url(service, database), "relay"))
    relay.start()
    stack.push_async_callback(relay.close)


async def test_from_two_streams_to_a_mailbox(
    house: House, postgres: PostgresEngine, nats_server: NatsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The readers read what the registry and identity published; the postman delivers it."""

    async def only_append(source: str, events: object, react: object) -> None:
        """In this test the events travel by themselves."""

    monkeypatch.setattr(house, "_read", only_append)
    async with AsyncExitStack() as stack:
        for service in ("registry", "identity"):
            await publish_as(stack, house, postgres, nats_server, service)
        await house.school()
        student = await house.pupil(await house.form_class(), "Verdi", "Luca")
        guardian = await house.guardian(student, "Verdi", "Anna", "anna.verdi@example.org")
        await house.account(guardian)
        house.runtime.background("postman", house.postman().work)
        await house.runtime.follow(
            {"registry": follow_registry(house.store), "identity": follow_identity(house.store)}
        )

        async def registry_is_read() -> bool:
            return (await house.store.cursors()).get("registry", 0) >= await house.others["registry"].head()

        await eventually(registry_is_read)
        delivery = await house.issue(guardian)

        async def accepted() -> bool:
            return await house.status(delivery) == "accepted"

        await eventually(accepted)
        assert len(house.mailbox.received) == 1

        async def published() -> bool:
            return house.runtime.relay.acknowledged == await house.store.head()

        await eventually(published)


async def test_a_sealing_key_is_announced_once_and_only_when_it_is_safe(house: House) -> None:
    (published,) = await house.events(SealingKeyPublished)
    (key,) = house.keys.all()
    assert isinstance(published, SealingKeyPublished)
    assert (published.key, published.public_key) == (key.id, public_key_text(key.private))
    assert [r.school for r in await house.history()] == [INSTANCE]
    await announce(house.keys, house.runtime.commands, house.now())
    assert len(await house.events(SealingKeyPublished)) == 1
    await announce(house.keys, house.runtime.commands, house.now() + timedelta(days=1))
    assert len(await house.events(SealingKeyPublished)) == 2


async def test_a_key_that_was_saved_but_not_announced_is_announced_at_the_next_start(house: House) -> None:
    saved = house.keys.rotate(house.now() + timedelta(days=1))
    await announce(house.keys, house.runtime.commands, house.now() + timedelta(days=1))
    assert [e.key for e in await house.events(SealingKeyPublished) if isinstance(e, SealingKeyPublished)][
        -1
    ] == saved.id


@pytest.mark.requirement("B1", part="notifications")
async def test_no_secret_stays_anywhere(
    house: House,
    nats_server: NatsEngine,
    postgres: PostgresEngine,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Mailed, deferred, printed: the secrets are in the mail and in the PDF, and nowhere else."""
    house.mailbox.answer = lambda to, n: "450 later" if n == 1 else f"250 taken for {to}"
    await house.school(PAPER)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    guardian = await house.guardian(student, "Verdi", "Anna", "anna.verdi@example.org")
    await house.account(guardian)
    await house.account(student, AccountRole.pupil)
    await house.issue(guardian, pin="pin-canarino")
    await house.issue(student, Channel.slip, role=AccountRole.pupil, exclusive=False)
    await house.postman().round()
    house.later = timedelta(minutes=2)
    await house.postman().round()
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        assert (await desk.post(f"/consegne/classi/{class_id}/tagliandi")).status_code == 200
        await desk.get(f"/consegne/classi/{class_id}")
    assert len(house.mailbox.received) == 1

    async def published() -> bool:
        return house.runtime.relay.acknowledged == await house.store.head()

    await eventually(published)
    secrets = [s.password for s in house.secrets.values()] + ["pin-canarino"]
    secrets += [s.password.replace("-", "") for s in house.secrets.values()]
    places = {"logs": "".join(capfd.readouterr()), "database": await everything_stored(house)}
    places["files"] = await asyncio.to_thread(everything_in, tmp_path)
    places["stream"] = await everything_streamed(nats_server)
    assert "DeliveryRequested" in places["stream"]
    assert "anna.verdi@example.org" in places["database"], "in the projections, as it must be"
    assert "anna.verdi@example.org" not in places["logs"]
    assert "Verdi" not in places["logs"]
    assert "Verdi" not in places["stream"]
    found = [
        (place, n) for place, text in places.items() for n, secret in enumerate(secrets) if secret in text
    ]
    assert found == []


def everything_in(folder: Path) -> str:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).decode("latin-1")


async def everything_stored(house: House) -> str:
    """Every row of every table of our database, entries as they stand."""
    pool = house.store.pool
    tables = await pool.fetch(
        "select schemaname || '.' || tablename as name from pg_tables "
        "where schemaname in ('events', 'projections', 'private')"
    )
    rows: list[asyncpg.Record] = []
    for table in tables:
        rows += await pool.fetch(f"select * from {table['name']}")  # noqa: S608
    return "\n".join(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for row in rows
        for value in row.values()
    )


async def everything_streamed(bus: NatsEngine) -> str:
    client = await nats.connect(
        bus.url, nkeys_seed=str(bus.seed_file("notifications")), inbox_prefix=b"_INBOX_notifications"
    )
    try:
        stream = client.jetstream()
        last = (await stream.stream_info("NOTIFICATIONS")).state.last_seq
        found = [await stream.get_msg("NOTIFICATIONS", seq=n, direct=True) for n in range(1, last + 1)]
    finally:
        await client.close()
    return "\n".join((message.data or b"").decode() for message in found)


async def test_erased_people_do_not_stop_the_reader(house: House) -> None:
    """A person whose key is destroyed has no name and no address; the facts about them are still read."""
    from shared.contracts.event import Personal
    from shared.contracts.registry import GuardianLinked, Relationship

    erased: list[Event] = [
        GuardianLinked(
            guardian="g-erased",
            student="s-erased",
            year="2026/2027",
            relationship=Relationship.mother,
            data_access=True,
            justifies_online=False,
            details=Personal(person="g-erased", value=None),
        )
    ]
    await house.school()
    await house.tell(*erased, school=SCHOOL)
    row = await house.store.pool.fetchrow(
        "select * from projections.guardians_v1 where guardian = 'g-erased'"
    )
    assert row is not None
    assert row["family_name"] is None
