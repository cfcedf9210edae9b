"""The event store on a real PostgreSQL: gapless, append-only, one write path (DESIGN 4)."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.entry import EntryTooLarge
from shared.contracts.event import Event, Recorded
from shared.contracts.registry import StudentEnrolled, StudentMovedClass
from shared.eventstore.batcher import Batcher
from shared.eventstore.projection import Change, Projector, Put, Row
from shared.eventstore.store import EventStore
from shared.eventstore.units import (
    Append,
    Committed,
    ConcurrencyConflict,
    Conflict,
    CursorMoved,
    Foreign,
    IdempotencyKey,
    KeyReused,
    Outcome,
    Repeated,
    Unit,
    Write,
)
from shared.ids import new_id
from tests.conftest import Kernel
from tests.samples import CONTEXT, SCHOOL, enrolled, moved, unit


def project(recorded: Recorded[Event]) -> Iterable[Row]:
    match recorded.event:
        case StudentEnrolled() as e:
            family = e.details.value.family_name if e.details.value else None
            yield Put("pupils", {"student": e.student, "class_id": e.class_id, "family": family, "moves": 0})
        case StudentMovedClass() as e:
            yield Change(
                "pupils", {"student": e.student}, {"class_id": e.to_class, "moves": recorded.stream_version}
            )


async def test_an_event_is_one_byte_string_and_its_personal_part_is_sealed(kernel: Kernel) -> None:
    store = await kernel.store("registry")
    event = enrolled(family="Sconosciuti")
    (outcome,) = await store.commit([unit(event, stream=f"student/{event.student}")])
    assert isinstance(outcome, Committed)
    stored = await store.pool.fetchval("select entry from events.entries")
    assert stored == outcome.events[0].entry
    assert b"Sconosciuti" not in stored
    envelope = orjson.loads(stored)
    assert envelope["sequence"] == "1" and envelope["schoolsequence"] == "1"
    assert envelope["type"] == "custode.registry.StudentEnrolled.v1"
    loaded = (await store.load([f"student/{event.student}"]))[f"student/{event.student}"][0]
    assert loaded.event == event and loaded.entry == stored and loaded.id == envelope["id"]


async def test_of_two_who_decide_on_the_same_version_one_loses_alone(kernel: Kernel) -> None:
    store = await kernel.store("registry")
    one, two = enrolled(), enrolled()
    first, loser, neighbour = await store.commit(
        [
            unit(one, stream=f"student/{one.student}"),
            unit(one, stream=f"student/{one.student}"),
            unit(two, stream=f"student/{two.student}"),
        ]
    )
    assert isinstance(first, Committed) and isinstance(neighbour, Committed)
    assert loser == Conflict(f"student/{one.student}", expected=0, actual=1)
    assert [first.events[0].position, neighbour.events[0].position] == [1, 2]


async def test_an_atomic_batch_ends_whole_with_the_first_conflict(kernel: Kernel) -> None:
    store = await kernel.store("registry")
    event = enrolled()
    with pytest.raises(ConcurrencyConflict):
        await store.commit(
            [unit(event, stream="student/a"), unit(event, stream="student/b", expected=7)], atomic=True
        )
    assert await store.head() == 0


async def test_what_is_copied_ends_whole_or_loses_alone_too(kernel: Kernel) -> None:
    """Large batches are numbered while they are copied."""
    store = await kernel.store("registry", project)
    units = [unit(enrolled(), stream=f"student/{n}") for n in range(1200)]
    wrong = unit(enrolled(), stream="student/wrong", expected=7)
    with pytest.raises(ConcurrencyConflict):
        await store.commit([*units[:700], wrong, *units[700:]], atomic=True)
    with pytest.raises(EntryTooLarge):
        await store.commit([*units, unit(enrolled(family="x" * 70_000), stream="student/large")])
    assert await store.head() == 0
    outcomes = await store.commit([*units[:700], wrong, *units[700:]])
    assert [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Committed)] == [700]
    assert await store.head() == 1200
    assert await store.pool.fetchval("select count(*) from projections.pupils") == 1200
    (after,) = await store.commit([unit(enrolled(), stream="student/after")])
    assert isinstance(after, Committed) and after.events[0].position == 1201


async def test_a_commit_that_is_numbered_ahead_notices_another_process(kernel: Kernel) -> None:
    """Head, versions, cursors and keys: whatever another copy of the service moved in between."""
    database = await kernel.database("registry")
    one, two = [await kernel.store("registry", project, database=database) for _ in range(2)]
    (source,) = await (await kernel.store("registry")).commit([unit(enrolled(), stream="student/foreign")])
    assert isinstance(source, Committed)

    async def commit(store: EventStore, stream: str, expected: int, key: str) -> Outcome:
        keyed = replace(
            unit(enrolled(), stream=stream, expected=expected), idempotency=IdempotencyKey("t", key, b"f")
        )
        (outcome,) = await store.commit([keyed])
        return outcome

    for n in range(4):
        assert isinstance(await commit(one, "student/a", n, f"one-{n}"), Committed)
    assert isinstance(await commit(two, "student/a", 4, "two"), Committed)
    assert await commit(one, "student/a", 4, "late") == Conflict("student/a", expected=4, actual=5)
    for n in range(3):
        assert isinstance(await commit(one, "student/b", n, f"b-{n}"), Committed)
    assert await commit(one, "student/b", 9, "ahead") == Conflict("student/b", expected=9, actual=3)
    assert isinstance(await commit(one, "student/b", 0, "two"), Repeated)
    await two.commit([], foreign=Foreign("identity", 0, source.events))
    seen = await commit(one, "student/b", 3, "seen")
    assert isinstance(seen, Committed) and seen.events[0].seen == {"identity": 1}
    for store in (one, one, two):
        with pytest.raises(CursorMoved):
            await store.commit([], foreign=Foreign("identity", 0, source.events))
    positions = await one.pool.fetch("select position from events.entries order by position")
    assert [row["position"] for row in positions] == list(range(1, 10))


async def test_a_repeated_key_gets_the_stored_answer_and_another_body_is_refused(kernel: Kernel) -> None:
    store = await kernel.store("registry")
    event = enrolled()
    key = IdempotencyKey("api:test", "k1", b"one")
    keyed = replace(unit(event, stream="student/k"), idempotency=key, result={"student": event.student})
    (first,) = await store.commit([keyed])
    assert isinstance(first, Committed)
    (again,) = await store.commit([keyed])
    assert again == Repeated({"student": event.student})
    (other,) = await store.commit([replace(keyed, idempotency=replace(key, fingerprint=b"two"))])
    assert other == KeyReused("api:test", "k1")
    twin = replace(unit(enrolled(), stream="student/t"), idempotency=replace(key, key="k2"), result={"n": 1})
    committed, repeated = await store.commit([twin, twin])
    assert isinstance(committed, Committed) and repeated == Repeated({"n": 1})
    assert await store.head() == 2


REFUSED_TO_ALL = (
    "update events.entries set school = 'X'",
    "delete from events.entries",
    "truncate events.entries",
    "delete from events.head",
    "insert into events.entries values (99, 'X', 1, 'student/x', 1, 'x')",
    "insert into events.entries values (1, 'X', 1, 'student/x', 1, 'x')",
    "update events.head set position = 7",
    "update events.head set position = 0",
    "update events.school_heads set position = 0",
)
# The owner of a schema may change the schema: its role is told to migrations alone.
REFUSED_TO_THE_SERVICE = (
    "drop table events.entries",
    "alter table events.entries disable trigger all",
    "update events.idempotency set result = '{}'",
)


@pytest.mark.parametrize(
    ("role", "statement"),
    [("registry", statement) for statement in REFUSED_TO_ALL + REFUSED_TO_THE_SERVICE]
    + [("registry_owner", statement) for statement in REFUSED_TO_ALL],
)
async def test_history_cannot_be_rewritten(kernel: Kernel, statement: str, role: str) -> None:
    """To the services' own role everything is refused; the owner of the schema is stopped by the triggers."""
    database = await kernel.database("registry")
    store = await kernel.store("registry", database=database)
    event = enrolled()
    await store.commit([unit(event, stream=f"student/{event.student}")])
    connection = await asyncpg.connect(kernel.postgres.role_url(role, database))
    try:
        with pytest.raises(
            (
                asyncpg.InsufficientPrivilegeError,
                asyncpg.RestrictViolationError,
                asyncpg.UniqueViolationError,
            )
        ):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert await store.head() == 1


async def test_projections_are_there_when_the_commit_returns(kernel: Kernel) -> None:
    store = await kernel.store("registry", project)
    event = enrolled(family="Neri")
    await store.commit(
        [
            Unit(
                SCHOOL,
                CONTEXT,
                (Append("student/n", 0, (event, moved(event.student), moved(event.student, "2C"))),),
            )
        ]
    )
    row = await store.pool.fetchrow("select * from projections.pupils")
    assert row is not None
    assert tuple(row) == (event.student, "2C", "Neri", 3)
    await store.commit([unit(moved(event.student, "1D"), stream="student/n", expected=3)])
    assert await store.pool.fetchval("select class_id from projections.pupils") == "1D"


async def test_what_a_unit_writes_beside_stands_or_falls_with_it(kernel: Kernel) -> None:
    store = await kernel.store("registry")
    insert = "insert into projections.pupils (student) values ($1)"
    good = Unit(SCHOOL, CONTEXT, (Append("student/1", 0, (enrolled(),)),), (Write(insert, (("a",),)),))
    loser = Unit(SCHOOL, CONTEXT, (Append("student/1", 5, (enrolled(),)),), (Write(insert, (("b",),)),))
    await store.commit([good, loser])
    rows = await store.pool.fetch("select student from projections.pupils")
    assert [row["student"] for row in rows] == ["a"]


async def test_one_unit_that_fails_does_not_take_its_neighbours_down(kernel: Kernel) -> None:
    store = await kernel.store("registry")
    batcher = Batcher(store)
    insert = Write("insert into projections.pupils (student) values ($1)", (("same",),))

    async def submit(n: int) -> bool:
        one = Unit(SCHOOL, CONTEXT, (Append(f"student/{n}", 0, (enrolled(),)),), (insert,) if n < 2 else ())
        try:
            return isinstance(await batcher.submit(one), Committed)
        except asyncpg.UniqueViolationError:
            return False

    done = await asyncio.gather(*(submit(n) for n in range(6)))
    assert sum(done) == 5 and await store.head() == 5


async def test_after_a_broken_connection_nothing_is_decided_twice(kernel: Kernel) -> None:
    """The server may have committed: whoever asked is told, and only they can know whether to try again."""
    store = await kernel.store("registry")

    class Broken(EventStore):
        async def write(self, *arguments: Any, **options: Any) -> Any:
            await super().write(*arguments, **options)
            raise asyncpg.ConnectionDoesNotExistError("after the commit")

    broken = Broken("registry", store.pool, store.keyring, Projector(lambda _: ()))
    batcher = Batcher(broken)
    work = [batcher.submit(unit(enrolled(), stream=f"student/{n}")) for n in range(6)]
    answers = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(a, asyncpg.ConnectionDoesNotExistError) for a in answers)
    assert await store.head() == 6


async def test_a_row_that_is_put_is_put_whole_however_it_was_batched(kernel: Kernel) -> None:
    def partial(recorded: Recorded[Event]) -> Iterable[Row]:
        match recorded.event:
            case StudentEnrolled() as e:
                yield Put("pupils", {"student": "s", "class_id": e.class_id, "family": "F"})
            case StudentMovedClass() as e:
                yield Put("pupils", {"student": "s", "class_id": e.to_class})

    one, two = await kernel.store("registry", partial), await kernel.store("registry", partial)
    await one.commit([Unit(SCHOOL, CONTEXT, (Append("student/s", 0, (enrolled(), moved("s", "2B"))),))])
    await two.commit([unit(enrolled(), stream="student/s")])
    await two.commit([unit(moved("s", "2B"), stream="student/s", expected=1)])
    rows = [await s.pool.fetchrow("select * from projections.pupils") for s in (one, two)]
    assert rows[0] is not None and rows[1] is not None
    assert tuple(rows[0]) == tuple(rows[1]) == ("s", "2B", None, 0)


async def test_a_readers_batch_moves_the_cursor_with_its_consequences(kernel: Kernel) -> None:
    theirs, ours = await kernel.store("identity"), await kernel.store("registry", project)
    del theirs
    source = await kernel.store("registry")
    event = enrolled()
    (outcome,) = await source.commit([unit(event, stream=f"student/{event.student}")])
    assert isinstance(outcome, Committed)
    foreign = Foreign("identity", 0, outcome.events)
    (mine,) = await ours.commit([unit(enrolled(), stream="student/x")], foreign=foreign)
    assert isinstance(mine, Committed)
    assert mine.events[0].seen == {"identity": 1}
    assert await ours.cursors() == {"identity": 1}
    with pytest.raises(CursorMoved):
        await ours.commit([unit(enrolled(), stream="student/y")], foreign=foreign)
    assert await ours.head() == 1


async def test_replay_comes_in_order_whatever_the_batch(kernel: Kernel) -> None:
    store = await kernel.store("registry")
    await store.commit([unit(enrolled(), stream=f"student/{n}") for n in range(500)])
    positions = [r.position async for batch in store.replay(batch=7) for r in batch]
    assert positions == list(range(1, 501))
    some = [p async for batch in store.replay_entries(after=490, upto=495) for p, _ in batch]
    assert some == [491, 492, 493, 494, 495]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=4, max_size=24))
async def test_concurrent_writers_leave_no_gap_and_no_double(
    kernel: Kernel, plan: list[tuple[int, int]]
) -> None:
    """Whoever writes, and however they collide: positions, school positions and versions are 1..N."""
    database = await kernel.database("registry")
    stores = [await kernel.store("registry", database=database) for _ in range(2)]
    prefix = new_id()

    async def writer(store: EventStore, stream: str, count: int, school: str) -> int:
        for _ in range(200):
            version = len((await store.load([stream])).get(stream, ()))
            events = tuple(enrolled() for _ in range(count))
            (outcome,) = await store.commit([Unit(school, CONTEXT, (Append(stream, version, events),))])
            if isinstance(outcome, Committed):
                return count
        raise AssertionError("never got through")

    work = [
        writer(stores[n % 2], f"student/{prefix}-{stream}", count, f"RMIC0000{n % 3}X")
        for n, (stream, count) in enumerate(plan)
    ]
    written = sum(await asyncio.gather(*work))
    rows = await stores[0].pool.fetch("select * from events.entries order by position")
    assert [r["position"] for r in rows] == list(range(1, written + 1))
    for column, number in (("school", "school_position"), ("stream", "stream_version")):
        for value in {r[column] for r in rows}:
            numbers = [r[number] for r in rows if r[column] == value]
            assert numbers == list(range(1, len(numbers) + 1))
    for row in rows:
        assert orjson.loads(row["entry"])["sequence"] == str(row["position"])
