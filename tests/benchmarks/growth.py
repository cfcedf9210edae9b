"""What a registry of 200 schools (2,000,000 events) costs more than one of two: a commit, a replay, a page.

Each measurement begins with nothing in memory and takes pupils, guardians and classes from all over the history.
"""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from itertools import islice

from services.registry.domain.student import STUDENT, CorrectPupil
from services.registry.people_queries import PeopleQueries
from services.registry.queries import Queries
from shared.contracts.event import Context
from shared.contracts.registry import PupilDetails
from shared.eventstore.commands import Commands
from shared.eventstore.store import EventStore
from shared.ids import new_id
from tests.benchmarks.figure import ROUNDS, Bar, Bench, Figure, Work, benchmark
from tests.benchmarks.history import CLASS, FAMILIES, YEARS, Family, Place, class_id, lived, opened

_CONTEXT = Context(actor="system:bench", correlation="bench")
_TODAY = date(2026, 11, 2)
_END = 1000
_RANDOM = random.Random(3)
Act = Callable[[EventStore, Family], Awaitable[object]]


@benchmark("growth")
async def growth(bench: Bench) -> list[Figure]:
    """The floor of each is the same at 20,000 events."""
    many, repeats, pages = (200, 300, 30) if bench.long else (4, 50, 10)
    place, small = await lived(bench, "many", many), await lived(bench, "two", 2)

    async def compared(name: str, act: Act, times: int) -> Figure:
        return await bench.compare(
            f"growth, {name}",
            "ms",
            f"{times} of each, {many} schools against 2",
            Bar("floor", "most", 1.25),
            value=_each(place, many, act, times),
            floor=_each(small, 2, act, times),
        )

    return [
        await compared("replay of a stream", _loaded, repeats),
        await compared("replay of the last thousand", _last, pages),
        await compared("a class page", _class_page, repeats),
        await compared("a family's page", _family_page, repeats),
        await compared("one command", _corrected, repeats),
    ]


def _each(place: Place, schools: int, act: Act, times: int) -> Work:
    # No family twice: a stream that was made longer a moment ago is another work.
    numbers = iter(_RANDOM.sample(range(schools * FAMILIES), times * (ROUNDS + 1)))

    async def work() -> float:
        families = [Family(*divmod(number, FAMILIES)) for number in islice(numbers, times)]
        async with _at_hand(place) as store:
            began = time.perf_counter()
            for family in families:
                await act(store, family)
            return (time.perf_counter() - began) / times * 1000

    return work


@asynccontextmanager
async def _at_hand(place: Place) -> AsyncIterator[EventStore]:
    """A store whose connections are open and whose statements are known to them: neither is what is measured."""
    async with opened(place) as store:
        await store.pool.fetchval("select 1")
        await store.keyring.load([new_id()])
        yield store


async def _corrected(store: EventStore, family: Family) -> None:
    details = PupilDetails(
        family_name="De Gasperi",
        given_name=f"Maria {_RANDOM.random()}",
        source="secretariat",
        external_id=f"A{family.number}",
    )
    correct = CorrectPupil(family.student, details)
    done = await Commands(store).execute(
        STUDENT, family.student, correct, school=family.school, context=_CONTEXT
    )
    assert len(done.events) == 1


async def _loaded(store: EventStore, family: Family) -> None:
    stream = STUDENT.stream(family.student)
    assert len((await store.load([stream]))[stream]) >= 6


async def _last(store: EventStore, _: Family) -> None:
    read = [r async for batch in store.replay(await store.head() - _END) for r in batch]
    assert len(read) == _END


async def _class_page(store: EventStore, family: Family) -> None:
    """The classes of the school, and the pupils of one."""
    queries = Queries(store.pool)
    assert len(await queries.classes(family.school, YEARS[1], _TODAY)) == FAMILIES // CLASS
    in_class = class_id(family.school_number, 1, family.number // CLASS)
    assert len(await queries.class_pupils(family.school, in_class, _TODAY)) == CLASS


async def _family_page(store: EventStore, family: Family) -> None:
    """What a guardian sees first."""
    queries = Queries(store.pool)
    assert await queries.pupil(family.school, family.student, _TODAY) is not None
    (child,) = await PeopleQueries(store.pool).relations(family.school, family.mother, _TODAY)
    assert child.closed(None, _TODAY) is None
