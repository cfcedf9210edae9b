"""Large commits: encoded and numbered while the server takes them in (DESIGN 4)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import asyncpg
import pytest

from shared.contracts.event import Event, Recorded
from shared.database import DATABASE_TROUBLES
from shared.eventstore import transaction
from shared.eventstore.copying import copied
from shared.eventstore.units import Append, Committed, Unit
from tests.conftest import Kernel
from tests.samples import CONTEXT, enrolled, unit


async def test_what_is_copied_stands_as_it_was_committed(kernel: Kernel) -> None:
    """Of several schools, of many events in one unit, of keys that are made on the way and of keys at hand."""
    store = await kernel.store("registry")
    streams = [f"student/{n}-\u00e0\u20ac" for n in range(700)]
    version = 0
    for schools in (["RMIC00000X", "MIIS00100A"], ["RMIC00000X"], ["MIIS00100A"]):
        half = len(streams) // len(schools)
        units = [
            Unit(
                school,
                CONTEXT,
                tuple(
                    Append(stream, version, (enrolled(student="p1"), enrolled(student="p2")))
                    for stream in streams[n * half : (n + 1) * half]
                ),
            )
            for n, school in enumerate(schools)
        ]
        before = await store.head()
        committed = [r for o in await store.commit(units) if isinstance(o, Committed) for r in o.events]
        rows = await store.pool.fetch(
            "select position, school, school_position, stream, stream_version, entry "
            "from events.entries where position > $1 order by position",
            before,
        )
        assert [tuple(row) for row in rows] == [
            (r.position, r.school, r.school_position, r.stream, r.stream_version, r.entry) for r in committed
        ]
        read = await store.decode([row["entry"] for row in rows])
        assert [r.event for r in read] == [r.event for r in committed]
        version += 2
    assert await store.head() == 3 * 1400


_CUT = """select pg_terminate_backend(pid) from pg_stat_activity
where datname = $1 and query ilike 'copy %' and state = 'active'"""

_WAITING = """select count(*) from pg_stat_activity
where datname = $1 and query ilike 'copy %' and wait_event_type = 'Lock'"""


@pytest.mark.parametrize("after", [0, 1, 9])
async def test_a_copy_that_is_cut_or_given_up_leaves_nothing(
    kernel: Kernel, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await kernel.database("registry")
    store, other = [await kernel.store("registry", database=database) for _ in range(2)]
    admin = await asyncpg.connect(kernel.postgres.admin_url())
    units = [unit(enrolled(student="p1"), stream=f"student/{n}") for n in range(1200)]
    await store.commit([unit(enrolled(student="p1"), stream="student/known")])

    async def broken_off(end: Callable[[], Awaitable[object]]) -> BaseException | None:
        async def ended(rows: Iterable[Recorded[Event]]) -> AsyncIterator[bytes]:
            pieces = 0
            async for piece in copied(rows):
                if pieces == after:
                    await end()
                yield piece
                pieces += 1
            assert pieces > after

        monkeypatch.setattr(transaction, "copied", ended)
        writing = asyncio.create_task(store.commit(units, atomic=True))
        tasks.append(writing)
        (answer,) = await asyncio.gather(writing, return_exceptions=True)
        monkeypatch.undo()
        return answer if isinstance(answer, BaseException) else None

    async def cut() -> None:
        assert await admin.fetchval(_CUT, database)

    async def given_up() -> None:
        tasks[-1].cancel()

    tasks: list[asyncio.Task[object]] = []
    try:
        assert isinstance(await broken_off(cut), DATABASE_TROUBLES)
        assert await other.head() == 1
        assert isinstance(await broken_off(given_up), asyncio.CancelledError)
        assert await other.head() == 1
    finally:
        await admin.close()
    assert len(await store.commit(units, atomic=True)) == 1200
    assert await other.head() == 1201


async def test_a_copy_that_is_cut_while_the_line_is_full_is_given_up(kernel: Kernel) -> None:
    database = await kernel.database("registry")
    store = await kernel.store("registry", database=database)
    locking, admin = [await asyncpg.connect(kernel.postgres.admin_url(database)) for _ in range(2)]
    units = [unit(enrolled(student="p1"), stream=f"student/{n}") for n in range(3000)]
    try:
        async with locking.transaction():
            await locking.execute("lock table events.entries in share row exclusive mode")
            writing = asyncio.create_task(store.commit(units, atomic=True))
            while not await admin.fetchval(_WAITING, database):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            assert await admin.fetchval(_CUT, database)
            with pytest.raises(DATABASE_TROUBLES):
                await asyncio.wait_for(writing, 10)
    finally:
        await locking.close()
        await admin.close()
    assert len(await asyncio.wait_for(store.commit(units, atomic=True), 30)) == 3000
