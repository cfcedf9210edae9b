"""The commit path: one command at a time, many at once, and in bulk; beside the peer, and beside bare COPY.

A command loads a pupil, corrects their details (a sealed part), and commits the event, its projection rows and the
result of an idempotency key. The peer loads, changes and saves: no projection, no key, nothing sealed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import count
from typing import TypeVar
from uuid import UUID

import asyncpg

from services.registry.domain.student import STUDENT, CorrectPupil, Enrol
from shared.contracts.event import Context
from shared.contracts.registry import EnrolmentKind, PupilDetails
from shared.eventstore.commands import Commands
from shared.eventstore.units import Append, Committed, IdempotencyKey, Unit
from shared.ids import new_id
from tests.benchmarks.figure import Bar, Bench, Figure, benchmark
from tests.benchmarks.ground import new_database, registry_store
from tests.benchmarks.peer import THREADS, School, Student, open_peer

T = TypeVar("T")
SCHOOL = "RMIC00000X"
CONTEXT = Context(actor="system:bench", correlation="bench")
_SAID = count(1)
_PEER_BATCH = 100
_BULK_COMMIT = 5000
_COLUMNS = ("position", "school", "school_position", "stream", "stream_version", "entry")


@benchmark("commit")
async def commit(bench: Bench) -> list[Figure]:
    """Single commands, alone and 32 at once."""
    pupils = 400 if bench.long else 100
    peer_url = bench.postgres.role_url("registry_owner", await new_database(bench))
    async with registry_store(bench) as store:
        with open_peer(peer_url) as school, ThreadPoolExecutor(THREADS) as threads:
            commands = Commands(store)
            ours = [new_id() for _ in range(pupils)]
            await store.commit([_enrolment(student) for student in ours], atomic=True)
            theirs = [_their_enrolment(school) for _ in range(pupils)]

            async def one_of_ours(student: str) -> None:
                corrected = CorrectPupil(student, _details(student, next(_SAID)))
                key = IdempotencyKey("bench", new_id(), b"fingerprint")
                done = await commands.execute(
                    STUDENT, student, corrected, school=SCHOOL, context=CONTEXT, idempotency=key
                )
                assert len(done.events) == 1

            async def one_of_theirs(student: UUID) -> None:
                details = _details(str(student), next(_SAID)).model_dump(mode="json")
                await asyncio.get_running_loop().run_in_executor(threads, school.correct, student, details)

            def their_turn() -> None:
                for student in theirs:
                    school.correct(student, _details(str(student), next(_SAID)).model_dump(mode="json"))

            async def theirs_alone() -> float:
                began = time.perf_counter()
                await asyncio.to_thread(their_turn)
                return pupils / (time.perf_counter() - began)

            return [
                await bench.compare(
                    "commit, one at a time",
                    "commands/s",
                    f"{pupils} commands",
                    Bar("peer", "least", 1.5),
                    value=lambda: _rate(one_of_ours, ours, 1),
                    peer=theirs_alone,
                ),
                await bench.compare(
                    "commit, 32 at once",
                    "commands/s",
                    f"{pupils} commands",
                    Bar("peer", "least", 8),
                    value=lambda: _rate(one_of_ours, ours, THREADS),
                    peer=lambda: _rate(one_of_theirs, theirs, THREADS),
                ),
            ]


@benchmark("bulk")
async def bulk(bench: Bench) -> list[Figure]:
    """Enrolments in commits of 5,000 events: in a next school year, of pupils whose keys are there; and of new pupils,
    whose keys are made on the way."""
    events, of_peer = (20_000, 2_000) if bench.long else (5_000, 500)
    peer_url = bench.postgres.role_url("registry_owner", await new_database(bench))
    async with registry_store(bench, project=lambda _: ()) as store:
        owner = await asyncpg.connect(bench.postgres.admin_url(await store.pool.fetchval(_DATABASE)))
        await owner.execute("create table bare (like events.entries including all)")
        rows: list[tuple[object, ...]] = []
        pupils = [new_id() for _ in range(_BULK_COMMIT)]
        versions = count(1)
        await store.commit([_enrolment(student) for student in pupils], atomic=True)

        async def committed(commits: Sequence[Sequence[Unit]]) -> float:
            began = time.perf_counter()
            outcomes = [outcome for units in commits for outcome in await store.commit(units, atomic=True)]
            took = time.perf_counter() - began
            recorded = [r for o in outcomes if isinstance(o, Committed) for r in o.events]
            assert len(recorded) == events
            rows[:] = [tuple(getattr(r, name) for name in _COLUMNS) for r in recorded]
            return events / took

        async def next_years() -> float:
            years = [next(versions) for _ in range(events // _BULK_COMMIT)]
            return await committed([[_enrolment(student, year) for student in pupils] for year in years])

        async def new_pupils() -> float:
            return await committed(
                [[_enrolment(new_id()) for _ in range(_BULK_COMMIT)] for _ in range(events // _BULK_COMMIT)]
            )

        async def copy() -> float:
            began = time.perf_counter()
            await owner.copy_records_to_table("bare", columns=_COLUMNS, records=rows)
            return events / (time.perf_counter() - began)

        with open_peer(peer_url) as school:

            async def theirs() -> float:
                batches = [
                    [_their_student() for _ in range(_PEER_BATCH)] for _ in range(of_peer // _PEER_BATCH)
                ]
                began = time.perf_counter()
                for batch in batches:
                    school.save(*batch)
                return of_peer / (time.perf_counter() - began)

            try:
                return [
                    await bench.compare(
                        "commit in bulk",
                        "events/s",
                        f"{events} events",
                        Bar("peer", "least", 2.5),
                        Bar("floor", "least", 0.4),
                        value=next_years,
                        floor=copy,
                        peer=theirs,
                    ),
                    await bench.compare(
                        "commit in bulk, new people",
                        "events/s",
                        f"{events} events, as many keys made",
                        value=new_pupils,
                        peer=theirs,
                    ),
                ]
            finally:
                await owner.close()


_DATABASE = "select current_database()"


async def _rate(work: Callable[[T], Awaitable[None]], items: Sequence[T], at_once: int) -> float:
    """Items a second, with so many workers that each take the next."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return len(items) / (time.perf_counter() - began)


def _details(student: str, said: int) -> PupilDetails:
    return PupilDetails(
        family_name=f"Rossi Bianchi {said}",
        given_name="Maria Giovanna",
        birth_date=date(2014, 2, 3),
        codice_fiscale="RSSMGV14B43H501X",
        institutional_email="maria.rossi@scuola.example",
        source="bench",
        external_id=student,
    )


def _enrolment(student: str, version: int = 0) -> Unit:
    enrol = Enrol(
        student=student,
        year="2026/2027",
        class_id="1A",
        kind=EnrolmentKind.first_year,
        entry_class=True,
        starts=date(2026, 9, 14),
        details=_details(student, 0),
    )
    events = tuple(STUDENT.decide(STUDENT.initial(), enrol))
    return Unit(SCHOOL, CONTEXT, (Append(STUDENT.stream(student), version, events),))


def _their_student() -> Student:
    student = new_id()
    return Student(
        student=student,
        school=SCHOOL,
        year="2026/2027",
        class_id="1A",
        kind="first_year",
        starts=date(2026, 9, 14),
        details=_details(student, 0).model_dump(mode="json"),
    )


def _their_enrolment(school: School) -> UUID:
    student = _their_student()
    school.save(student)
    return student.id
