"""Projections rebuilt from history equal the live ones, and take their place while work goes on (DESIGN 4)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import pairwise

import asyncpg
import pytest

from shared.contracts.event import Event, Recorded
from shared.contracts.identity import FirstAccessCompleted
from shared.contracts.registry import StudentEnrolled, StudentMovedClass
from shared.eventstore.projection import Change, Put, Row
from shared.eventstore.rebuild import Rebuild
from shared.eventstore.shadow import sums
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Committed, Foreign, Unit
from tests.conftest import Kernel
from tests.samples import CONTEXT, SCHOOL, enrolled, moved, unit


def project(recorded: Recorded[Event]) -> Iterable[Row]:
    match recorded.event:
        case StudentEnrolled() as e:
            family = e.details.value.family_name if e.details.value else None
            yield Put("pupils", {"student": e.student, "class_id": e.class_id, "family": family, "moves": 0})
        case StudentMovedClass() as e:
            yield Change("pupils", {"student": e.student}, {"class_id": e.to_class})
        case FirstAccessCompleted() as e:
            yield Change("pupils", {"student": e.account}, {"class_id": f"seen by {e.credential}"})


class Lived:
    """A registry that has read identity in between its own events."""

    def __init__(self, kernel: Kernel, database: str, store: EventStore, other: EventStore) -> None:
        self.kernel = kernel
        self.database = database
        self.store = store
        self.other = other

    async def read_all(self) -> None:
        after = (await self.store.cursors()).get("identity", 0)
        async for batch in self.other.replay(after):
            await self.store.commit([], foreign=Foreign("identity", after, batch))
            after = batch[-1].position

    def rebuild(self) -> Rebuild:
        async def foreign(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
            assert source == "identity"
            async for batch in self.other.replay(after, upto, batch=3):
                yield [recorded.entry for recorded in batch]

        owner = self.kernel.postgres.role_url("registry_owner", self.database)
        return Rebuild(self.store, project, owner, self.kernel.postgres.urls("registry").keyring, foreign)


@pytest.fixture
async def lived(kernel: Kernel) -> Lived:
    database = await kernel.database("registry")
    store = await kernel.store("registry", project, database)
    made = Lived(kernel, database, store, await kernel.store("identity"))
    pupils = [enrolled() for _ in range(12)]
    for n, event in enumerate(pupils):
        await store.commit([unit(event, stream=f"student/{event.student}")])
        access = FirstAccessCompleted(account=event.student, credential=f"c{n}")
        (outcome,) = await made.other.commit([unit(access, stream=f"account/{event.student}")])
        assert isinstance(outcome, Committed)
        if n % 3 == 0:
            await made.read_all()
            await store.commit(
                [unit(moved(event.student, "2B"), stream=f"student/{event.student}", expected=1)]
            )
    await made.read_all()
    return made


async def rows(store: EventStore) -> list[tuple[object, ...]]:
    return [tuple(r) for r in await store.pool.fetch("select * from projections.pupils order by student")]


async def test_rebuilt_equals_live_in_the_order_in_which_it_was_lived(lived: Lived) -> None:
    live = await rows(lived.store)
    assert sum(r[1] == "2B" for r in live) == 4 and sum("seen" in str(r[1]) for r in live) == 8
    report = await lived.rebuild().run(service_role="registry", switch=False)
    assert report.differences == {} and report.events == 28 and not report.switched
    assert await rows(lived.store) == live


async def test_a_damaged_projection_is_found_and_replaced(lived: Lived) -> None:
    live = await rows(lived.store)
    await lived.store.pool.execute("update projections.pupils set family = 'Damaged' where class_id = '2B'")
    assert (await lived.rebuild().run(service_role="registry", switch=False)).differences == {"pupils": 8}
    indexes = "select indexname from pg_indexes where schemaname = 'projections' order by 1"
    before = [r["indexname"] for r in await lived.store.pool.fetch(indexes)]
    report = await lived.rebuild().run(service_role="registry")
    assert report.switched and await rows(lived.store) == live
    assert [r["indexname"] for r in await lived.store.pool.fetch(indexes)] == before
    event = enrolled()
    await lived.store.commit([unit(event, stream=f"student/{event.student}")])
    assert len(await rows(lived.store)) == len(live) + 1, (
        "the service goes on writing to what was switched in"
    )


async def test_what_two_rows_have_exchanged_is_found(lived: Lived) -> None:
    """One and one, however often: no sum over both may hide it."""
    pool = lived.store.pool
    pupils = [row["student"] for row in await pool.fetch("select student from projections.pupils")]
    for n, student in enumerate(pupils):
        await pool.execute("update projections.pupils set family = $2 where student = $1", student, f"F{n}")
    exchange = """
        update projections.pupils p set family = o.family from projections.pupils o
        where p.student = any($1) and o.student = any($1) and p.student <> o.student
    """
    assert len(pupils) >= 8
    for one, other in pairwise(pupils):
        before = await pool.fetchval(f"select ({sums('projections.pupils')})::text")
        await pool.execute(exchange, [one, other])
        assert await pool.fetchval(f"select ({sums('projections.pupils')})::text") != before


async def test_writers_go_on_while_it_is_rebuilt(lived: Lived) -> None:
    done = asyncio.Event()

    async def write() -> int:
        count = 0
        while not done.is_set():
            event = enrolled()
            append = Append(f"student/{event.student}", 0, (event, moved(event.student, "9Z")))
            await lived.store.commit([Unit(SCHOOL, CONTEXT, (append,))])
            count += 1
        return count

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    report = await lived.rebuild().run(service_role="registry")
    await asyncio.sleep(0.1)
    done.set()
    written = await writing
    assert report.differences == {}
    assert len(await rows(lived.store)) == 12 + written
    assert (await lived.rebuild().run(service_role="registry", switch=False)).differences == {}


def whole_class(recorded: Recorded[Event]) -> Iterable[Row]:
    """Who moves takes the class along: a change of rows that their key does not name. A number said as text, too."""
    match recorded.event:
        case StudentEnrolled() as e:
            yield Put("pupils", {"student": e.student, "class_id": e.class_id, "moves": "0"})
        case StudentMovedClass() as e:
            yield Change("pupils", {"class_id": e.from_class}, {"class_id": e.to_class, "moves": 1})


async def test_rows_that_no_key_names_are_changed_in_their_turn(kernel: Kernel) -> None:
    database = await kernel.database("registry")
    store = await kernel.store("registry", whole_class, database)
    for n in range(9):
        event = enrolled()
        more = [moved(event.student, "2B")] if n == 5 else []
        await store.commit([unit(event, *more, stream=f"student/{event.student}")])
    live = await rows(store)
    assert sorted(str(row[1]) for row in live) == ["1A"] * 3 + ["2B"] * 6

    async def nobody(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
        raise AssertionError(source)
        yield []

    owner = kernel.postgres.role_url("registry_owner", database)
    definitions = "select indexdef from pg_indexes where schemaname = 'projections' order by 1"
    before = [r["indexdef"] for r in await store.pool.fetch(definitions)]
    keyring = kernel.postgres.urls("registry").keyring
    for _ in range(2):
        report = await Rebuild(store, whole_class, owner, keyring, nobody).run(service_role="registry")
        assert report.differences == {} and report.events == 10
    assert await rows(store) == live
    assert [r["indexdef"] for r in await store.pool.fetch(definitions)] == before
    grants = "select count(*) from information_schema.role_table_grants where grantee = 'registry' and table_name = 'pupils'"
    owner_connection = await asyncpg.connect(owner)
    try:
        assert await owner_connection.fetchval(grants) == 4
    finally:
        await owner_connection.close()
