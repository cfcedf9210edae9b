"""The embedded bus: who may say what, and to whom. Every wall is tried from the wrong side."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as NoAnswer
from nats.js.errors import NotFoundError

from deploy.engines import EngineError, NatsEngine, temporary_folder
from deploy.engines.nats_keys import USERS
from deploy.engines.nats_streams import EVENT_STREAMS, connect

SCHOOL = "MIIS00100A"
OTHER_SCHOOL = "RMPC00200B"
SERVICES = ("registry", "identity", "notifications")
FOREIGN = [(a, b) for a in (*SERVICES, "auditor") for b in SERVICES if a != b]


@pytest.fixture(scope="module")
def bus() -> Iterator[NatsEngine]:
    with temporary_folder() as folder:
        engine = NatsEngine(folder / "nats")
        try:
            engine.start()
            asyncio.run(engine.provision())
            asyncio.run(engine.add_school(SCHOOL))
            asyncio.run(engine.add_school(OTHER_SCHOOL))
            yield engine
        finally:
            engine.destroy()


@asynccontextmanager
async def as_user(bus: NatsEngine, user: str) -> AsyncIterator[Client]:
    client = await connect(bus.url, bus.seeds, user)
    try:
        yield client
    finally:
        await client.close()


async def unheard(client: Client, subject: str, payload: bytes = b"{}") -> bool:
    """Whether nobody answers on this subject: no permission, no import or no responder."""
    try:
        await client.request(subject, payload, timeout=0.25)
    except (NoRespondersError, NoAnswer):
        return True
    return False


async def messages(bus: NatsEngine, stream: str) -> int:
    owner = "registry_admin" if stream == "INGRESS" else f"{stream.lower()}_admin"
    async with as_user(bus, owner) as client:
        return (await client.jetstream().stream_info(stream)).state.messages


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_appends_to_its_own_stream_at_the_expected_position(
    bus: NatsEngine, service: str
) -> None:
    async with as_user(bus, service) as client:
        before = await messages(bus, service.upper())
        expected = {"Nats-Expected-Last-Sequence": str(before)}
        subject = f"{service}.evt.{SCHOOL}.thing.Happened"
        answer = await client.request(subject, b"fact", headers=expected, timeout=2)
        assert json.loads(answer.data)["seq"] == before + 1
        refused = await client.request(subject, b"fact", headers=expected, timeout=2)
        assert json.loads(refused.data)["error"]["err_code"] == 10071


@pytest.mark.parametrize(("user", "owner"), FOREIGN)
async def test_nobody_publishes_into_anothers_stream(bus: NatsEngine, user: str, owner: str) -> None:
    before = await messages(bus, owner.upper())
    async with as_user(bus, user) as client:
        assert await unheard(client, f"{owner}.evt.{SCHOOL}.thing.Forged")
    assert await messages(bus, owner.upper()) == before


@pytest.mark.parametrize(("user", "owner"), FOREIGN)
async def test_everyone_reads_everyone_through_the_imported_api(
    bus: NatsEngine, user: str, owner: str
) -> None:
    stream = owner.upper()
    async with as_user(bus, owner) as client:
        await client.request(f"{owner}.evt.{SCHOOL}.thing.Happened", b"fact", timeout=2)
    async with as_user(bus, user) as client:
        foreign = client.jetstream(prefix=f"JS.{stream}.API")
        assert (await foreign.stream_info(stream)).state.last_seq >= 1
        inbox = client.new_inbox()
        answers = await client.subscribe(inbox)
        body = json.dumps({"seq": 1, "batch": 1}).encode()
        await client.publish(f"JS.{stream}.API.DIRECT.GET.{stream}", body, reply=inbox)
        first = await answers.next_msg(timeout=2)
        assert first.headers is not None
        assert first.headers["Nats-Sequence"] == "1"


@pytest.mark.parametrize("user", SERVICES)
@pytest.mark.parametrize(
    "verb", ["STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE"]
)
async def test_a_service_cannot_administer_even_its_own_stream(bus: NatsEngine, user: str, verb: str) -> None:
    stream = user.upper()
    before = await messages(bus, stream)
    async with as_user(bus, user) as client:
        body = json.dumps({"name": stream, "seq": 1}).encode()
        assert await unheard(client, f"$JS.API.{verb}.{stream}", body)
    assert await messages(bus, stream) == before


async def test_not_even_the_provisioner_deletes_or_purges_what_was_said(bus: NatsEngine) -> None:
    async with as_user(bus, "registry") as client:
        await client.request(f"registry.evt.{SCHOOL}.thing.Happened", b"fact", timeout=2)
    async with as_user(bus, "registry_admin") as client:
        for verb, body in (("STREAM.PURGE", {}), ("STREAM.MSG.DELETE", {"seq": 1})):
            answer = await client.request(f"$JS.API.{verb}.REGISTRY", json.dumps(body).encode(), timeout=2)
            assert "error" in json.loads(answer.data), verb


async def test_a_stranger_cannot_answer_in_anothers_name(bus: NatsEngine) -> None:
    """A reply subject that points into a foreign account reaches nobody there."""
    async with as_user(bus, "registry") as registry, as_user(bus, "notifications") as stranger:
        heard = await registry.subscribe("_INBOX_registry.victim")
        await registry.flush()
        await stranger.publish("_INBOX_registry.victim", b"forged")
        body = json.dumps({"seq": 1, "batch": 1}).encode()
        target = "JS.REGISTRY.API.DIRECT.GET.REGISTRY"
        await stranger.publish(target, body, reply=f"registry.evt.{SCHOOL}.thing.Forged")
        before = await messages(bus, "REGISTRY")
        with pytest.raises(NoAnswer):
            await heard.next_msg(timeout=0.25)
        assert await messages(bus, "REGISTRY") == before


async def test_claims_come_from_notifications_only_and_introspection_not_from_outside(
    bus: NatsEngine,
) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(b"yes")

    async with as_user(bus, "identity") as identity:
        await identity.subscribe("identity.slips.claim", queue="q", cb=answer)
        await identity.subscribe("identity.sessions.introspect", queue="q", cb=answer)
        await identity.subscribe("identity.confirmations.redeem", queue="q", cb=answer)
        await identity.flush()
        async with as_user(bus, "notifications") as client:
            assert (await client.request("identity.slips.claim", b"{}", timeout=2)).data == b"yes"
            assert (await client.request("identity.sessions.introspect", b"{}", timeout=2)).data == b"yes"
        async with as_user(bus, "registry") as client:
            assert await unheard(client, "identity.slips.claim")
            assert (await client.request("identity.sessions.introspect", b"{}", timeout=2)).data == b"yes"
        for user in ("registry", "notifications"):
            async with as_user(bus, user) as client:
                assert (
                    await client.request("identity.confirmations.redeem", b"{}", timeout=2)
                ).data == b"yes"
        for user in ("auditor", f"school_{SCHOOL}"):
            async with as_user(bus, user) as client:
                assert await unheard(client, "identity.slips.claim")
                assert await unheard(client, "identity.sessions.introspect")
                assert await unheard(client, "identity.confirmations.redeem")


@pytest.mark.parametrize(("listener", "owner"), [(a, b) for a, b in FOREIGN if a != "auditor"])
async def test_the_doorbell_of_one_service_rings_at_the_others(
    bus: NatsEngine, listener: str, owner: str
) -> None:
    async with as_user(bus, listener) as ear, as_user(bus, owner) as hand:
        bell = await ear.subscribe(f"{owner}.bell")
        await ear.flush()
        await hand.publish(f"{owner}.bell", b"")
        await bell.next_msg(timeout=2)


async def test_a_schools_command_reaches_registry_and_leaves_the_queue_when_acknowledged(
    bus: NatsEngine,
) -> None:
    async with as_user(bus, f"school_{SCHOOL}") as school:
        answer = await school.request(f"ingress.{SCHOOL}.cmd", b"enrol", timeout=2)
        assert json.loads(answer.data)["stream"] == "INGRESS"
    async with as_user(bus, "registry") as registry:
        queue = await registry.jetstream().pull_subscribe_bind("registry", stream="INGRESS")
        (command,) = await queue.fetch(1, timeout=2)
        assert (command.subject, command.data) == (f"ingress.{SCHOOL}.cmd", b"enrol")
        await command.ack_sync()
    assert await messages(bus, "INGRESS") == 0


async def test_a_school_speaks_for_itself_alone_and_hears_nothing(bus: NatsEngine) -> None:
    async with as_user(bus, f"school_{SCHOOL}") as school:
        foreign = (
            f"ingress.{OTHER_SCHOOL}.cmd",
            "ingress._.cmd",
            f"registry.evt.{SCHOOL}.thing.Forged",
            "$JS.API.STREAM.INFO.INGRESS",
            "JS.REGISTRY.API.STREAM.INFO.REGISTRY",
            "$JS.API.CONSUMER.MSG.NEXT.INGRESS.registry",
        )
        for subject in foreign:
            assert await unheard(school, subject), subject
        ear = await school.subscribe(">")
        async with as_user(bus, "registry") as registry:
            await registry.publish("registry.bell", b"")
            await registry.request(f"registry.evt.{SCHOOL}.thing.Happened", b"fact", timeout=2)
        with pytest.raises(Error):
            await ear.next_msg(timeout=0.25)
    assert await messages(bus, "INGRESS") == 0


async def test_without_a_key_nobody_gets_in(bus: NatsEngine) -> None:
    with temporary_folder() as folder:
        strangers = NatsEngine(folder / "nats").seeds
        with pytest.raises(EngineError):
            await connect(bus.url, strangers, "registry")


async def test_admitting_a_school_disturbs_nobody(bus: NatsEngine) -> None:
    async with as_user(bus, "registry") as registry:
        seed = await bus.add_school("TOIC80300C")
        assert seed == await bus.add_school("TOIC80300C")
        assert stat.S_IMODE(seed.stat().st_mode) == 0o600
        await registry.request(f"registry.evt.{SCHOOL}.thing.Happened", b"fact", timeout=2)
        assert registry.is_connected
        assert registry.stats["reconnects"] == 0
    async with as_user(bus, "school_TOIC80300C") as school:
        await school.request("ingress.TOIC80300C.cmd", b"enrol", timeout=2)
    async with as_user(bus, "registry_admin") as admin:
        await admin.jetstream().purge_stream("INGRESS")
    with pytest.raises(ValueError, match="meccanografico"):
        await bus.add_school("../../etc")


async def test_a_wiped_stream_comes_back_empty_and_the_others_stay(bus: NatsEngine) -> None:
    async with as_user(bus, "identity") as client:
        await client.request(f"identity.evt.{SCHOOL}.thing.Happened", b"fact", timeout=2)
    kept = await messages(bus, "REGISTRY")
    await bus.wipe("IDENTITY")
    assert await messages(bus, "IDENTITY") == 0
    assert await messages(bus, "REGISTRY") == kept > 0
    async with as_user(bus, "identity_admin") as client:
        config = (await client.jetstream().stream_info("IDENTITY")).config
        assert config.deny_delete
        assert config.deny_purge
        with pytest.raises(NotFoundError):
            await client.jetstream().stream_info("OTHER")


async def test_an_acknowledged_fact_survives_a_crash(bus: NatsEngine) -> None:
    async with as_user(bus, "notifications") as client:
        await client.request(f"notifications.evt.{SCHOOL}.thing.Happened", b"fact", timeout=2)
    before = {stream: await messages(bus, stream) for stream in EVENT_STREAMS}
    url = bus.url
    bus.kill()
    bus.start()
    assert bus.url == url
    assert {stream: await messages(bus, stream) for stream in EVENT_STREAMS} == before


def test_seeds_are_private_and_the_server_knows_public_keys_only(bus: NatsEngine) -> None:
    told = next(bus.store.parent.glob("nats.conf")).read_text()
    for user in USERS:
        seed = bus.seed_file(user)
        assert stat.S_IMODE(seed.stat().st_mode) == 0o600
        assert seed.read_text() not in told
        assert bus.seeds.public_key(user) in told
    assert "compression" not in told
