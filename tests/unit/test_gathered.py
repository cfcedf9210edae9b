"""Questions that come at the same time: who is answered with whom, and what a cancelled one leaves behind."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.eventstore.gathered import Gathered


class Answering:
    """Doubles numbers; waits for `go` before each answer, and remembers what was asked together."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.go = asyncio.Event()
        self.gathered: Gathered[int, int] = Gathered(self._answer, most=3)

    async def _answer(self, questions: Sequence[int]) -> Sequence[int]:
        self.asked.append(list(questions))
        await self.go.wait()
        if 13 in questions:
            raise ValueError
        return [question * 2 for question in questions]


async def test_one_alone_is_answered() -> None:
    answering = Answering()
    answering.go.set()
    assert [await answering.gathered.ask(n) for n in (1, 2)] == [2, 4]
    assert answering.asked == [[1], [2]]


async def test_those_of_one_turn_are_answered_together_at_most_so_many() -> None:
    answering = Answering()
    answering.go.set()
    answers = await asyncio.gather(*map(answering.gathered.ask, range(5)))
    assert answers == [0, 2, 4, 6, 8]
    assert sorted(map(len, answering.asked)) == [2, 3]


async def test_those_who_come_meanwhile_wait_for_the_next_answer() -> None:
    answering = Answering()
    tasks = [asyncio.create_task(answering.gathered.ask(1))]
    while not answering.asked:
        await asyncio.sleep(0)
    tasks += [asyncio.create_task(answering.gathered.ask(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    assert answering.asked == [[1]]
    answering.go.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6]
    assert answering.asked == [[1], [2, 3]]


async def test_a_failure_is_theirs_who_asked_together() -> None:
    answering = Answering()
    answering.go.set()
    failed = await asyncio.gather(*map(answering.gathered.ask, (12, 13)), return_exceptions=True)
    assert all(isinstance(one, ValueError) for one in failed)
    with pytest.raises(ValueError):
        await answering.gathered.ask(13)
    assert await answering.gathered.ask(1) == 2


@pytest.mark.parametrize("turns", [1, 3])
async def test_a_cancelled_one_takes_nobody_along(turns: int) -> None:
    answering = Answering()
    first = asyncio.create_task(answering.gathered.ask(1))
    for _ in range(turns):
        await asyncio.sleep(0)
    second = asyncio.create_task(answering.gathered.ask(2))
    await asyncio.sleep(0)
    first.cancel()
    answering.go.set()
    assert await asyncio.wait_for(second, 5) == 4
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await answering.gathered.ask(3) == 6
