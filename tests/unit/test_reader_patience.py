"""When a reader that waits for another is in trouble, and when it only waits."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.messaging import reader as readers
from shared.messaging.reader import BATCH, FIRST_BATCH, Reader


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


class Store:
    """Cursors that move as a test says."""

    def __init__(self) -> None:
        self.registry = 0

    def on_commit(self, _: object) -> None:
        pass

    async def cursors(self) -> dict[str, int]:
        return {"registry": self.registry}


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
        reader._is_behind(": waits")


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
