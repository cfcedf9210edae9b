"""Properties of the kernel on real tables: folding, sealing, writing and reading back, and a history cut anyhow."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from deploy.engines import PostgresEngine
from shared.contracts.event import Event, Personal, Recorded, contracts, personal_fields
from shared.contracts.upcasters import superseded
from shared.eventstore.projection import Change, Projector, Put, Remove, Row
from shared.eventstore.units import Append, Committed, Foreign, Unit
from shared.keyring.keyring import KeyEncryptionKey
from tests.machines.conftest import PROFILE
from tests.machines.ground import Copy, Ground
from tests.machines.history import event, project
from tests.machines.plans import KINDS
from tests.samples import CONTEXT, SCHOOL

TABLES = ("table projections.pupils order by student", "table projections.steps order by stream, version")
FIXED = {"year": "2026/2027", "customer_id": "prova", "school": SCHOOL}
held = settings(PROFILE, max_examples=PROFILE.max_examples * 6, suppress_health_check=[*HealthCheck])


@pytest.fixture(scope="module")
def ground(postgres: PostgresEngine, kek: KeyEncryptionKey) -> Iterator[Ground]:
    with asyncio.Runner() as runner:
        yield Ground(postgres, kek, runner)


@pytest.fixture(scope="module")
def copy(ground: Ground) -> Iterator[Copy]:
    opened = ground.run(ground.copy(ground.run(ground.database()), lambda _: ()))
    yield opened
    ground.run(opened.close())


_values: dict[str, st.SearchStrategy[Any]] = {
    "student": st.sampled_from(("a", "b", "c")),
    "class_id": st.sampled_from(("1A", "1B", None)),
    "family": st.sampled_from(("Verdi", "Neri", None)),
    "moves": st.integers(0, 2),
}


def _some(*names: str, least: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    chosen = st.lists(st.sampled_from(names), unique=True, min_size=least)
    return chosen.flatmap(lambda named: st.fixed_dictionaries({n: _values[n] for n in named}))


_puts = st.builds(
    lambda key, rest: Put("pupils", {"student": key, **rest}),
    _values["student"],
    _some("class_id", "family", "moves"),
)
_where = st.one_of(st.fixed_dictionaries({"student": _values["student"]}), _some(*_values, least=1))
_changes = st.builds(
    lambda where, to: Change("pupils", where, to), _where, _some("class_id", "family", "moves", least=1)
)
_removals = st.builds(lambda where: Remove("pupils", where), _where)


@held
@given(rows=st.lists(st.one_of(_puts, _puts, _changes, _changes, _removals), max_size=14))
def test_a_batch_is_the_same_as_its_rows_one_by_one(ground: Ground, copy: Copy, rows: list[Row]) -> None:
    async def applied(batches: Sequence[Sequence[Row]]) -> list[tuple[Any, ...]]:
        projector = Projector(lambda recorded: cast(Any, recorded).rows)
        async with copy.store.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                for batch in batches:
                    await projector.apply(connection, [cast(Recorded[Event], SimpleNamespace(rows=batch))])
                found = await connection.fetch("select * from projections.pupils order by student")
            finally:
                await transaction.rollback()
        return [tuple(row) for row in found]

    assert ground.run(applied([rows])) == ground.run(applied([[row] for row in rows]))


def _value(name: str, annotation: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    origin = get_origin(annotation)
    if name in FIXED:
        return st.just(FIXED[name])
    if origin is Annotated:
        return _value(name, get_args(annotation)[0])
    if origin in (Union, UnionType):
        return st.one_of(*(st.none() if a is NoneType else _value(name, a) for a in get_args(annotation)))
    if origin in (tuple, list, frozenset):
        return st.lists(_value(name, get_args(annotation)[0]), max_size=3, unique=True).map(tuple)
    if issubclass(annotation, Personal):
        content = next(a for a in get_args(annotation.model_fields["value"].annotation) if a is not NoneType)
        return st.builds(annotation, person=st.sampled_from(("p1", "p2", "p3")), value=_model(content))
    if issubclass(annotation, BaseModel):
        return _model(annotation)
    if issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    by_type: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(1, 90),
        datetime: st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
            lambda at: at.replace(tzinfo=UTC)
        ),
        date: st.dates(),
        str: st.text(max_size=40),
    }
    return by_type[annotation]


def _model(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    return st.builds(
        model, **{name: _value(name, info.annotation) for name, info in model.model_fields.items()}
    )


_contracts = [c for c in contracts().values() if c not in superseded()]
_events = st.sampled_from(_contracts).flatmap(_model)


@held
@given(events=st.lists(_events, min_size=1, max_size=6))
def test_every_event_is_read_as_it_was_written_and_its_personal_part_is_sealed(
    ground: Ground, copy: Copy, events: list[Event]
) -> None:
    stream = f"test/{id(events)}-{ground.run(copy.store.head())}"
    unit = Unit(SCHOOL, CONTEXT, (Append(stream, 0, tuple(events)),))
    (outcome,) = ground.run(copy.store.commit([unit]))
    assert isinstance(outcome, Committed)
    loaded = ground.run(copy.store.load([stream]))[stream]
    assert [r.event for r in loaded] == events
    assert [r.entry for r in loaded] == [r.entry for r in outcome.events]
    for recorded, written in zip(loaded, events, strict=True):
        for name, _ in personal_fields(type(written)):
            part = getattr(written, name)
            beside = written.model_dump_json(exclude={name})
            for text in () if part is None else part.value.model_dump(mode="json").values():
                if isinstance(text, str) and len(text) > 8 and text not in beside:
                    assert text.encode() not in recorded.entry


@held
@given(
    plain=st.binary(max_size=200),
    bound=st.binary(min_size=1, max_size=40),
    at=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_a_sealed_part_opens_where_it_belongs_and_nowhere_else(
    ground: Ground, copy: Copy, plain: bytes, bound: bytes, at: int, bit: int
) -> None:
    keys = ground.run(copy.store.keyring.prepare({("p1", "identity"), ("p2", "identity")}))
    box = keys.seal("p1", "identity", plain, bound)
    assert keys.open(box, bound) == plain
    other = keys.seal("p2", "identity", plain, bound)
    for spoilt, place in (
        (box, bound + b"x"),
        ({**box, "key": other["key"]}, bound),
        ({**box, "sealed": _flipped(box["sealed"], at, bit)}, bound),
    ):
        with pytest.raises(InvalidTag):
            keys.open(spoilt, place)
    assert keys.open({**box, "key": "destroyed"}, bound) is None


def _flipped(sealed: str, at: int, bit: int) -> str:
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    raw = bytearray(urlsafe_b64decode(sealed))
    raw[at % len(raw)] ^= 1 << bit
    return urlsafe_b64encode(bytes(raw)).decode()


_steps = st.tuples(st.integers(0, 2), st.sampled_from(KINDS))


@settings(held, max_examples=PROFILE.max_examples)
@given(
    steps=st.lists(_steps, min_size=3, max_size=25), cuts=st.lists(st.integers(1, 6), min_size=1, max_size=9)
)
def test_a_history_is_read_the_same_however_it_is_cut(
    ground: Ground, copy: Copy, steps: list[tuple[int, str]], cuts: list[int]
) -> None:
    async def read(history: Sequence[Recorded[Event]], sizes: Iterator[int]) -> tuple[Any, ...]:
        database = await ground.database()
        reader = await ground.copy(database, project)
        after = 0
        try:
            while after < len(history):
                batch = history[after : after + next(sizes)]
                await reader.store.commit([], foreign=Foreign("identity", after, batch))
                after += len(batch)
            pool = reader.store.pool
            tables = [await pool.fetch(query) for query in TABLES]
            return await reader.store.cursors(), [[tuple(row) for row in rows] for rows in tables]
        finally:
            await reader.close()
            await ground.drop(database)

    versions: dict[int, int] = {}
    history = []
    for n, (pupil, kind) in enumerate(steps):
        versions[pupil] = versions.get(pupil, 0) + 1
        history.append(
            _recorded(copy, event(kind, f"p{pupil}", f"e{n}"), f"student/p{pupil}", versions[pupil], n + 1)
        )
    whole = ground.run(read(history, iter([len(history)])))
    pieces = iter(cuts * len(history))
    assert ground.run(read(history, pieces)) == whole
    assert whole[0] == {"identity": len(history)}


def _recorded(copy: Copy, written: Event, stream: str, version: int, position: int) -> Recorded[Event]:
    """As it might come from another's stream: only its place matters to a reader's commit."""
    return Recorded(
        event=written,
        entry=b"{}",
        id=f"id-{position}",
        service="identity",
        stream=stream,
        stream_version=version,
        position=position,
        school=SCHOOL,
        school_position=position,
        time=copy.store.clock(),
        actor="system:test",
        correlation="c",
        causation=None,
        seen={},
        traceparent=None,
    )
