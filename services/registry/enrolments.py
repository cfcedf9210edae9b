"""Single enrolments, over HTTP and from the bus: gathered, so that many at once cost little more than one.

Those of one school are decided together under the school's lock, each as a unit of its own with its idempotency
key; said again, by whichever way, they bring about nothing.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from services.registry.directory import ClassBook, Directory
from services.registry.domain.school import SCHOOL
from services.registry.findings import Finding
from services.registry.imports.labels import italian_school_year
from services.registry.intake import Intake, in_causal_order, proposal_writes
from services.registry.locks import TURN_LOST, Turn
from services.registry.planning import Planner, class_key
from services.registry.requests import EnrolmentRequest
from services.registry.steps import Planned
from shared.contracts.event import Context
from shared.eventstore.commands import Workspace
from shared.eventstore.units import ConcurrencyConflict, IdempotencyKey, Unit
from shared.sql import Statements

SQL = Statements(__file__)
_MOST = 200
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """An enrolment that somebody wants entered; without a key only the facts themselves tell a repeat."""

    request: EnrolmentRequest
    context: Context
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """`new` is False where nothing came of it: the same had been said before."""

    student: str
    class_id: str | None
    guardians: tuple[str, ...]
    new: bool
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class NotEntered:
    """What stands against it; nothing of the enrolment went in."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class SchoolUnknown:
    pass


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key was used before, for another enrolment."""


Answer = Entered | NotEntered | SchoolUnknown | KeyReused


class Enrolments:
    """`enter` waits for its turn; what waits for one school is carried out together."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting: defaultdict[str, list[tuple[Wanted, asyncio.Future[Answer]]]] = defaultdict(list)
        self._workers: dict[str, asyncio.Task[None]] = {}

    async def enter(self, wanted: Wanted) -> Answer:
        school = wanted.request.school
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[school].append((wanted, future))
        if school not in self._workers:
            self._workers[school] = asyncio.create_task(self._work(school), name=f"enrolments:{school}")
        return await future

    async def _work(self, school: str) -> None:
        try:
            while waiting := self._waiting[school][:_MOST]:
                del self._waiting[school][:_MOST]
                await self._answer(school, waiting)
        finally:
            del self._workers[school]
            del self._waiting[school]

    async def _answer(self, school: str, waiting: Sequence[tuple[Wanted, "asyncio.Future[Answer]"]]) -> None:
        """A fault that is one enrolment's own must not become its neighbours': then each is tried alone."""
        try:
            answers = await self._take(school, [wanted for wanted, _ in waiting])
        except Exception as fault:
            if len(waiting) == 1:
                _settle(waiting[0][1], fault)
                return
            for one in waiting:
                await self._answer(school, [one])
            return
        for (_, future), answer in zip(waiting, answers, strict=True):
            _settle(future, answer)

    async def _take(self, school: str, batch: Sequence[Wanted]) -> list[Answer]:
        for tries_left in reversed(range(_TRIES)):
            async with self._intake.locks.held([school]) as turn:
                try:
                    return await _Batch(self._intake, school, batch).carry_out(turn)
                except (ConcurrencyConflict, TURN_LOST):
                    if not tries_left:
                        raise
        raise AssertionError("unreachable")


def _settle(future: "asyncio.Future[Answer]", answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


class _Batch:
    def __init__(self, intake: Intake, school: str, batch: Sequence[Wanted]) -> None:
        pool = intake.store.pool
        self._intake = intake
        self._school = school
        self._batch = batch
        self._workspace = Workspace(intake.store)
        facts = [wanted.request.fact() for wanted in batch]
        self._facts = facts
        self._planner = Planner(
            school,
            Directory(pool, school),
            ClassBook(pool, school),
            self._workspace,
            classes={class_key(f): w.request.class_fact() for f, w in zip(facts, batch, strict=True)},
            years={fact.school_year: italian_school_year(fact.school_year) for fact in facts},
            today=intake.today(),
        )
        self._known: dict[tuple[str, str], tuple[bytes, Entered]] = {}
        self._units: list[Unit] = []

    async def carry_out(self, turn: Turn) -> list[Answer]:
        await self._workspace.load(SCHOOL, [self._school])
        if not self._planner.registered:
            return [SchoolUnknown() for _ in self._batch]
        await self._recall()
        await self._planner.prepare(self._facts)
        answers = [self._one(n) for n in range(len(self._batch))]
        if self._units:
            ours = Unit(self._school, self._batch[0].context, (), (turn.kept(self._school),))
            await self._intake.store.commit([*self._units, ours], atomic=True)
        return answers

    async def _recall(self) -> None:
        """What repeated keys were answered."""
        keys = [wanted.key for wanted in self._batch if wanted.key is not None]
        rows = await self._intake.store.pool.fetch(
            SQL("known_results"), [k.scope for k in keys], [k.key for k in keys]
        )
        for row in rows:
            entered = _recalled(json.loads(row["result"]))
            self._known[row["scope"], row["key"]] = (row["fingerprint"], entered)

    def _one(self, n: int) -> Answer:
        wanted = self._batch[n]
        key = wanted.key
        if key is not None and (known := self._known.get((key.scope, key.key))) is not None:
            fingerprint, entered = known
            return entered if fingerprint == key.fingerprint else KeyReused()
        planned = self._planner.plan(self._facts[n], strict=True)
        if planned.student is None or planned.failed:
            return NotEntered(tuple(f for f in planned.findings if f.severity == "error"))
        entered = _entered(planned)
        if key is not None:
            self._known[key.scope, key.key] = (key.fingerprint, _recalled(_result(entered)))
        appends = in_causal_order(self._workspace.appends())
        writes = proposal_writes(self._school, planned.proposals)
        if appends or writes or key is not None:
            self._units.append(Unit(self._school, wanted.context, appends, writes, key, _result(entered)))
        return entered


def _entered(planned: Planned) -> Entered:
    assert planned.student is not None
    return Entered(
        planned.student,
        planned.class_id,
        tuple(planned.guardians),
        new=bool(planned.events),
        warnings=tuple(planned.findings),
    )


def _result(entered: Entered) -> dict[str, object]:
    return {
        "student": entered.student,
        "class": entered.class_id,
        "guardians": list(entered.guardians),
    }


def _recalled(result: dict[str, object]) -> Entered:
    guardians = result["guardians"]
    assert isinstance(guardians, list)
    class_id = result["class"]
    return Entered(
        str(result["student"]), None if class_id is None else str(class_id), tuple(guardians), new=False
    )
