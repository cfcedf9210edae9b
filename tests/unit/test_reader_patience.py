"""When a reader that waits for another is in trouble, and when it only waits."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.messaging import reader as readers
from shared.messaging.reader import BATCH, FIRST_BATCH, Reader
from shared.messaging.streams import Fetched, Message

ENTRY = (
    b'{"specversion":"1.0","id":"1","source":"/notifications","type":"custode.notifications.EmailAccepted.v1",'
    b'"sequence":"1","seen":"registry:100","data":{}}'
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(readers, "time", clock)
    return clock


class Digested(Exception):
    """What was waited for is there."""


class Store:
    """Cursors that move as a test says."""

    def __init__(self) -> None:
        self.registry = 0

    def on_commit(self, _: object) -> None:
        pass

    async def cursors(self) -> dict[str, int]:
        return {"registry": self.registry}

    async def decode(self, entries: list[bytes]) -> None:
        raise Digested


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def reader(store: Store) -> Reader:
    nobody: Any = SimpleNamespace()
    follows = frozenset({"registry", "notifications"})
    return Reader("notifications", cast(Any, store), nobody, nobody, nobody, follows)


async def _look(reader: Reader, store: Store) -> None:
    """One look at an event whose writer had seen registry's hundredth."""
    if await reader._ready([{"seen": "registry:100"}], await store.cursors()) == 0:
        reader._waits_still(await store.cursors())


async def test_waiting_for_what_comes_nearer_is_no_trouble(
    clock: Clock, reader: Reader, store: Store
) -> None:
    for reached in range(0, 100, 10):
        store.registry = reached
        await _look(reader, store)
        clock.now += 10
        assert reader.problem() is None


async def test_waiting_for_what_does_not_move_is_trouble(clock: Clock, reader: Reader, store: Store) -> None:
    store.registry = 50
    await _look(reader, store)
    clock.now += readers.BEHIND_SECONDS + 1
    await _look(reader, store)
    problem = reader.problem()
    assert problem is not None and "stands still" in problem


class Fetches:
    """A stream with one event, whose writer had seen registry's hundredth: how often it was asked for."""

    def __init__(self) -> None:
        self.count = 0

    async def fetch(self, *_: object) -> Fetched:
        self.count += 1
        return Fetched([Message(1, ENTRY, "evt.X.identity.SignInSucceeded")], 0)


async def test_who_waits_asks_the_stream_seldom(clock: Clock, reader: Reader, store: Store) -> None:
    """Whoever is waited for rings at every commit: reading the same page each time took more than the work."""
    stream = Fetches()
    reader._stream = cast(Any, stream)
    for _ in range(50):
        store.registry += 1
        clock.now += 0.01
        await reader._read(cast(Any, None))
    assert stream.count == 1
    clock.now += readers.LOOK_AGAIN_SECONDS
    await reader._read(cast(Any, None))
    assert stream.count == 2, "it may have been repaired meanwhile"
    assert reader.position == 0 and reader.problem() is None
    store.registry = 100
    with pytest.raises(Digested):
        await reader._read(cast(Any, None))
    assert stream.count == 3


def test_batches_shrink_when_they_take_long_and_grow_when_they_do_not(reader: Reader) -> None:
    assert reader._most == FIRST_BATCH
    for seconds, most in (
        (10, 50),
        (10, 25),
        (2, 25),
        (0.1, 50),
        (0.1, 100),
        (0.1, 200),
        (0.1, 400),
        (0.1, BATCH),
    ):
        reader._pace(seconds)
        assert reader._most == most
