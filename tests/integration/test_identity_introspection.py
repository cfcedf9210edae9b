"""Sessions asked of identity over real NATS: kept, refreshed, revoked, and what holds when it is down (S1, DESIGN 7)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from deploy.engines import NatsEngine, PostgresEngine
from services.identity.signing_in import SignedIn
from shared.messaging.bus import Bus
from shared.web import introspection
from shared.web.introspection import INTROSPECT_SUBJECT, BusIntrospector
from shared.web.sessions import SessionsUnavailable, hash_token, new_token
from tests.integration.identity_fixtures import World, identity_world


class Seat:
    """The registry's introspector, and identity behind the bus."""

    def __init__(self, world: World, bus: Bus, introspector: BusIntrospector) -> None:
        self.world = world
        self.bus = bus
        self.introspector = introspector
        self.asked = 0

    async def sign_in(self) -> tuple[bytes, SignedIn]:
        _, code, secret = await self.world.a_guardian()
        signed = await self.world.parts.front.signing_in.sign_in(code, secret.password)
        assert signed is not None
        return hash_token(signed.session.token), signed


@pytest.fixture
async def seat(
    postgres: PostgresEngine, folder: Path, nats_server: NatsEngine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Seat]:
    # A machine that runs other tests as well may be slow to answer.
    monkeypatch.setattr(introspection, "ASK_TIMEOUT", 20.0)
    await nats_server.wipe("IDENTITY")
    identity_seed = nats_server.seed_file("identity")
    async with identity_world(postgres, folder, nats_url=nats_server.url, seed=identity_seed) as world:
        bus = Bus(nats_server.url, "registry", nats_server.seed_file("registry"))
        bus.start()
        introspector = BusIntrospector(bus)
        await introspector.start()
        await bus.connected()
        made = Seat(world, bus, introspector)
        sessions = world.parts.sessions
        ask = sessions.introspect

        async def counted(token_hash: bytes) -> object:
            made.asked += 1
            return await ask(token_hash)

        sessions.introspect = counted  # type: ignore[method-assign, assignment]
        await sessions.serve(world.parts.runtime.bus)
        await (await world.parts.runtime.bus.connected()).flush()
        yield made
        await bus.close()


async def until(true: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_token_is_asked_for_once_however_many_pages_ask(seat: Seat) -> None:
    token, signed = await seat.sign_in()
    found = await asyncio.gather(*(seat.introspector.introspect(token) for _ in range(20)))
    assert {p.account_id for p in found if p} == {signed.account} and len(found) == 20
    assert seat.asked == 1
    own = await seat.world.parts.sessions.introspect(token)
    assert own is not None and found[0] is not None
    assert (found[0].roles, found[0].school, found[0].session_id) == (own.roles, own.school, own.session_id)


async def test_an_unknown_token_is_nobody_and_is_not_asked_for_again_at_once(seat: Seat) -> None:
    token = hash_token(new_token())
    assert await seat.introspector.introspect(token) is None
    assert await seat.introspector.introspect(token) is None
    assert seat.asked == 1


@pytest.mark.requirement("P7", part="ended everywhere within 5 seconds")
async def test_a_revocation_reaches_the_others_within_five_seconds(seat: Seat) -> None:
    token, _ = await seat.sign_in()
    principal = await seat.introspector.introspect(token)
    assert principal is not None
    await seat.world.parts.sessions.end(principal)
    async with asyncio.timeout(5):
        while await seat.introspector.introspect(token) is not None:
            await asyncio.sleep(0.1)


async def test_events_make_it_forget_at_once(seat: Seat) -> None:
    token, signed = await seat.sign_in()
    principal = await seat.introspector.introspect(token)
    assert principal is not None
    await seat.world.parts.sessions.end(principal)
    seat.introspector.heed([r for r in await seat.world.all_events() if r.aggregate_id == signed.account])
    assert await seat.introspector.introspect(token) is None


async def test_an_answer_in_use_is_refreshed_once_a_minute(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = await seat.sign_in()
    await seat.introspector.introspect(token)
    monkeypatch.setattr(introspection, "REFRESH_SECONDS", 0.05)
    await asyncio.sleep(0.1)
    assert await seat.introspector.introspect(token)
    await until(lambda: seat.asked == 2)


async def test_with_the_bus_down_a_kept_answer_holds_to_the_sessions_end_and_an_unknown_one_is_unavailable(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = await seat.sign_in()
    other, _ = await seat.sign_in()
    assert await seat.introspector.introspect(token)
    await seat.bus.close()
    monkeypatch.setattr(introspection, "REFRESH_SECONDS", 0.0)
    for _ in range(3):
        assert await seat.introspector.introspect(token)
    with pytest.raises(SessionsUnavailable):
        await seat.introspector.introspect(other)
    with pytest.raises(SessionsUnavailable):
        await seat.introspector.introspect(hash_token(new_token()))


async def test_with_identity_down_the_same(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = await seat.sign_in()
    assert await seat.introspector.introspect(token)
    await seat.world.parts.runtime.bus.close()
    monkeypatch.setattr(introspection, "BELL_SECONDS", 0.0)
    monkeypatch.setattr(introspection, "ASK_TIMEOUT", 0.3)
    await seat.introspector._ring(None)
    assert await seat.introspector.introspect(token), "stale, but nobody can say otherwise"
    with pytest.raises(SessionsUnavailable):
        await seat.introspector.introspect(hash_token(new_token()))


async def test_a_kept_answer_ends_with_its_session(seat: Seat) -> None:
    seat.world.ahead = -timedelta(minutes=29, seconds=59)
    token, _ = await seat.sign_in()
    assert await seat.introspector.introspect(token)
    await asyncio.sleep(1.2)
    seat.world.ahead = timedelta(hours=1)
    assert await seat.introspector.introspect(token) is None


async def test_garbage_is_answered_with_an_error(seat: Seat, nats_server: NatsEngine) -> None:
    client: Client = await nats.connect(
        nats_server.url,
        nkeys_seed=str(nats_server.seed_file("notifications")),
        inbox_prefix=b"_INBOX_notifications",
    )
    garbage = [
        b"",
        b"\xff",
        b"null",
        b"{}",
        b'{"token_hash": 7}',
        b'{"token_hash": "' + b"g" * 64 + b'"}',
        b"[" * 9999,
    ]
    for payload in garbage:
        reply = json.loads((await client.request(INTROSPECT_SUBJECT, payload, timeout=5)).data)
        assert set(reply) == {"error"}
    assert seat.asked == 0
    good = json.dumps({"token_hash": "0" * 64}).encode()
    assert json.loads((await client.request(INTROSPECT_SUBJECT, good, timeout=5)).data) == {"unknown": True}
    await client.close()
