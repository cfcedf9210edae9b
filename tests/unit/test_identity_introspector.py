"""What made-up tokens cannot do to the sessions of others (M10, DESIGN 7)."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.messaging.bus import Bus
from shared.web import introspection
from shared.web.introspection import Answer, BusIntrospector
from shared.web.sessions import Principal, SessionsUnavailable, hash_token, new_token


class Identity:
    """Behind a bus: knows some tokens, answers while it is `open`."""

    def __init__(self) -> None:
        self.known: dict[str, Principal] = {}
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self.open = asyncio.Event()
        self.open.set()
        self.client = self

    async def request(self, _: str, payload: bytes, timeout: float) -> SimpleNamespace:
        token_hash = json.loads(payload)["token_hash"]
        self.asked.append(token_hash)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            async with asyncio.timeout(timeout):
                await self.open.wait()
        finally:
            self.under_way -= 1
        return SimpleNamespace(data=Answer.of(self.known.get(token_hash)).encoded())

    def sign_in(self) -> bytes:
        token = hash_token(new_token())
        ends = datetime.now(UTC) + timedelta(hours=1)
        self.known[token.hex()] = Principal("a", "p", "S", frozenset({"guardian"}), False, ends)
        return token


@pytest.fixture
def identity() -> Identity:
    return Identity()


@pytest.fixture
def introspector(identity: Identity) -> BusIntrospector:
    return BusIntrospector(cast(Bus, identity))


def made_up(count: int) -> list[bytes]:
    return [hash_token(new_token()) for _ in range(count)]


async def test_made_up_tokens_push_no_session_out(
    identity: Identity, introspector: BusIntrospector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "_MOST", 10)
    session = identity.sign_in()
    assert await introspector.introspect(session)
    for token in made_up(50):
        assert await introspector.introspect(token) is None
    identity.asked.clear()
    assert await introspector.introspect(session) and not identity.asked


async def test_a_token_of_nobody_is_remembered_briefly_and_not_many_of_them(
    identity: Identity, introspector: BusIntrospector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "MOST_UNKNOWN", 5, raising=False)
    tokens = made_up(6)
    for token in (*tokens, *tokens[1:]):
        assert await introspector.introspect(token) is None
    assert len(identity.asked) == 6
    assert await introspector.introspect(tokens[0]) is None and len(identity.asked) == 7
    monkeypatch.setattr(introspection, "UNKNOWN_SECONDS", 0.0)
    assert await introspector.introspect(tokens[0]) is None and len(identity.asked) == 8


async def test_a_session_that_is_over_is_remembered_as_nobodys(
    identity: Identity, introspector: BusIntrospector, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = identity.sign_in()
    assert await introspector.introspect(session)
    identity.known.clear()
    monkeypatch.setattr(introspection, "BELL_SECONDS", -1.0)
    await introspector._ring(None)
    assert await introspector.introspect(session) is None
    assert await introspector.introspect(session) is None and len(identity.asked) == 2


async def test_requests_under_way_are_bounded_and_sessions_in_use_have_their_own(
    identity: Identity, introspector: BusIntrospector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "ASK_TIMEOUT", 5.0)
    session = identity.sign_in()
    assert await introspector.introspect(session)
    identity.open.clear()
    flood = [asyncio.create_task(introspector.introspect(token)) for token in made_up(2000)]
    await until(lambda: identity.under_way > 0)
    await asyncio.sleep(0.05)
    assert identity.most == 64
    assert sum(task.done() for task in flood) >= 900, "those beyond the line are told at once"
    monkeypatch.setattr(introspection, "BELL_SECONDS", -1.0)
    await introspector._ring(None)
    known = asyncio.create_task(introspector.introspect(session))
    await until(lambda: identity.asked[-1] == session.hex())
    identity.open.set()
    assert await known
    outcomes: list[Any] = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), SessionsUnavailable}
    assert identity.most <= 65 and await introspector.introspect(made_up(1)[0]) is None


async def test_nobody_waits_longer_for_their_turn_than_for_an_answer(
    identity: Identity, introspector: BusIntrospector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "ASK_TIMEOUT", 0.2)
    identity.open.clear()
    started = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(*map(introspector.introspect, made_up(300)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {SessionsUnavailable}
    assert asyncio.get_running_loop().time() - started < 2


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)
