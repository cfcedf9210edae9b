"""The one door behind the three ways in: facts, a plan, a commit (S3).

Work goes in chunks of some hundred pupils, each one unit of all or nothing, so that twenty thousand pupils cost a
few queries a chunk and a broken run leaves whole enrolments only. Saying the same again brings about nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import structlog

from services.registry.directory import ClassBook, Directory
from services.registry.endings import Endings
from services.registry.expected import Expected, Newcomers
from services.registry.findings import Finding
from services.registry.imports.facts import EnrolmentFact, Parsed
from services.registry.locks import TURN_LOST, SchoolLocks, Turn
from services.registry.planning import Planner
from services.registry.queries import Queries
from services.registry.remarks import remarks, taken_as_new
from services.registry.report import Report
from services.registry.steps import Planned, Proposal
from shared.contracts.event import Context
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, ConcurrencyConflict, Unit, Write
from shared.ids import new_id
from shared.policies import local_day
from shared.sql import Statements

log = structlog.get_logger()
SQL = Statements(__file__)
CHUNK = 300
CHUNK_HELD_BACK = 2_000
"""Where nothing is committed between them, chunks only bound the size of a query."""
_AT_A_STRETCH = 100
"""Enrolments planned before others get their turn: some milliseconds."""
_TRIES = 10
_ORDER = {"school": 0, "class": 1, "student": 2, "guardian": 3}

Progress = Callable[[int, int], None]
"""(enrolments done, enrolments in all)."""


@dataclass(frozen=True, slots=True)
class Options:
    """`only_school`: the one school that the importer may speak for; None on the operator's own command line."""

    actor: str
    only_school: str | None = None
    dry_run: bool = False
    all_or_nothing: bool = False
    progress: Progress = lambda done, total: None


class Intake:
    """Takes whole files. Single enrolments come through `Enrolments`, by the same planner."""

    def __init__(self, store: EventStore, locks: SchoolLocks) -> None:
        self.store = store
        self.locks = locks

    async def take(self, parsed: Parsed, report: Report, options: Options) -> Report:
        """Carry out what the file says, or with `dry_run` only find out what would happen."""
        report.of_file(parsed)
        run = _Run(self, parsed, report, options)
        await run.carry_out()
        log.info(
            "import.done",
            import_id=report.import_id,
            dry_run=report.dry_run,
            outcome=report.outcome.value,
            **report.counts.model_dump(exclude={"missing", "proposals"}),
        )
        return report

    def today(self) -> date:
        return local_day(self.store.clock())


class Session:
    """One school's directory, classes and aggregates under work; thrown away after each commit."""

    def __init__(self, intake: Intake, school: str, parsed: Parsed) -> None:
        self.school = school
        self.directory = Directory(intake.store.pool, school)
        self.book = ClassBook(intake.store.pool, school)
        self.workspace = Workspace(intake.store)
        self.proposals: list[Proposal] = []
        self.newcomers = Newcomers(intake.today())
        self.planner = Planner(
            school,
            self.directory,
            self.book,
            self.workspace,
            classes={
                (parsed.source, klass.school_year, klass.external_id): klass
                for klass in parsed.classes
                if klass.school == school
            },
            years={year.label: year for year in parsed.years},
            today=intake.today(),
        )

    def unit(self, context: Context, turn: Turn) -> Unit | None:
        """What was decided since the last commit, for this turn only; None when nothing came of it."""
        appends = in_causal_order(self.workspace.appends())
        writes = proposal_writes(self.school, self.proposals)
        if not appends and not writes:
            return None
        return Unit(self.school, context, appends, (*writes, turn.kept(self.school)))


def in_causal_order(appends: Sequence[Append]) -> tuple[Append, ...]:
    """The history reads as it happened: year, class, pupil, guardian."""
    return tuple(sorted(appends, key=lambda append: _ORDER[append.stream.split("/", 1)[0]]))


def proposal_writes(school: str, proposals: Sequence[Proposal]) -> tuple[Write, ...]:
    rows = tuple((school, p.kind.value, p.person, p.source, p.external_id, p.reason) for p in proposals)
    return (Write(SQL("propose"), rows),) if rows else ()


class _Run:
    def __init__(self, intake: Intake, parsed: Parsed, report: Report, options: Options) -> None:
        self.intake = intake
        self.parsed = parsed
        self.report = report
        self.options = options
        self.context = Context(actor=options.actor, correlation=report.import_id)
        self.done = 0
        self.taken = 0
        self.unknown: set[str] = set()
        self.held_back = options.dry_run or options.all_or_nothing

    async def carry_out(self) -> None:
        by_school = self._by_school()
        sessions: dict[str, Session] = {}
        if self.held_back:
            async with self.intake.locks.held(by_school) as turn:
                for school, facts in by_school.items():
                    sessions[school] = Session(self.intake, school, self.parsed)
                    await self._ahead(sessions[school], _chunks(facts, CHUNK_HELD_BACK))
                    await self._endings(sessions[school])
                self.report.conclude(taken=self.taken, all_or_nothing=self.options.all_or_nothing)
                if not self.options.dry_run and not self.report.counts.errors:
                    units = [u for s in sessions.values() if (u := s.unit(self.context, turn)) is not None]
                    await self.intake.store.commit(units, atomic=True)
        else:
            for school, facts in by_school.items():
                for chunk in _chunks(facts, CHUNK):
                    await self._committed(school, chunk)
                await self._committed(school, None)
            self.report.conclude(taken=self.taken, all_or_nothing=False)
        for school in by_school:
            await self._missing(school)
        queries, now = Queries(self.intake.store.pool), self.intake.store.clock()
        if self.options.dry_run:
            self.report.expected = Expected()
            for school, session in sessions.items():
                self.report.expected.add(session.newcomers.under(await queries.policy(school, now)))
        for finding in await remarks(queries, by_school, self.report.counts, now):
            self.report.finding(finding, None, self.parsed.format)

    def _by_school(self) -> dict[str, list[EnrolmentFact]]:
        found: dict[str, list[EnrolmentFact]] = {}
        foreign: dict[str, EnrolmentFact] = {}
        own = self.options.only_school
        ordered = sorted(self.parsed.enrolments, key=lambda fact: fact.school)
        for school, facts in groupby(ordered, key=lambda fact: fact.school):
            if own in (None, school):
                found[school] = list(facts)
            else:
                foreign[school] = next(facts)
        code = "school_foreign" if own in found else "school_anothers"
        for school, first in foreign.items():
            finding = Finding(code, params={"school": school, "own": own or ""})
            self.report.finding(finding, first.at, self.parsed.format)
        if self.parsed.endings:
            for fact in self.parsed.schools:
                if self.options.only_school in (None, fact.codice):
                    found.setdefault(fact.codice, [])
        return found

    async def _committed(self, school: str, chunk: Sequence[EnrolmentFact] | None) -> None:
        """Plan and commit; plan anew when somebody else was first. Without a chunk: the file's endings."""
        for tries_left in reversed(range(_TRIES)):
            before = self.report.model_copy(deep=True)
            done, taken = self.done, self.taken
            async with self.intake.locks.held([school]) as turn:
                session = Session(self.intake, school, self.parsed)
                if chunk is None:
                    await self._endings(session)
                else:
                    await self._chunk(session, chunk)
                unit = session.unit(self.context, turn)
                try:
                    if unit is not None:
                        await self.intake.store.commit([unit], atomic=True)
                    return
                except (ConcurrencyConflict, TURN_LOST):
                    if not tries_left:
                        raise
            self.report.counts, self.report.problems = before.counts, before.problems
            self.done, self.taken = done, taken

    async def _ahead(self, session: Session, chunks: Sequence[Sequence[EnrolmentFact]]) -> None:
        """Nothing is committed between these chunks: the next one is looked up while one is planned."""
        upcoming: asyncio.Task[None] | None = None
        try:
            for at, chunk in enumerate(chunks):
                await (upcoming or session.planner.prepare(chunk))
                upcoming = None
                if at + 1 < len(chunks):
                    upcoming = asyncio.create_task(session.planner.prepare(chunks[at + 1]))
                await self._planned(session, chunk)
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)

    async def _chunk(self, session: Session, facts: Sequence[EnrolmentFact]) -> None:
        await session.planner.prepare(facts)
        await self._planned(session, facts)

    async def _planned(self, session: Session, facts: Sequence[EnrolmentFact]) -> None:
        if not session.planner.registered:
            self._unknown_school(session.school, facts)
        else:
            for some in _chunks(facts, _AT_A_STRETCH):
                self._account(session, some, [session.planner.plan(fact) for fact in some])
                await asyncio.sleep(0)
        self.done += len(facts)
        self.options.progress(self.done, len(self.parsed.enrolments))

    def _account(self, session: Session, facts: Sequence[EnrolmentFact], plans: Sequence[Planned]) -> None:
        assumed = 0
        for fact, planned in zip(facts, plans, strict=True):
            assumed += taken_as_new(fact, planned)
            session.proposals += planned.proposals
            for finding in planned.findings:
                self.report.finding(finding, fact.at, self.parsed.format)
            self.taken += planned.student is not None
        self.report.counts.add(plans)
        if self.options.dry_run:
            session.newcomers.take(plans)
        self.report.counts.kind_assumed += assumed

    def _unknown_school(self, school: str, facts: Sequence[EnrolmentFact]) -> None:
        if school not in self.unknown:
            self.unknown.add(school)
            finding = Finding("school_unknown", params={"school": school})
            self.report.finding(finding, facts[0].at, self.parsed.format)

    async def _endings(self, session: Session) -> None:
        if not self.parsed.endings:
            return
        endings = Endings(session.directory, session.book, session.workspace)
        await endings.prepare(self.parsed.endings)
        for fact in self.parsed.endings:
            planned = endings.plan(fact)
            self.report.counts.add([planned])
            self.report.counts.enrolments -= 1
            self.report.counts.unchanged -= planned.student is not None and not planned.events
            for finding in planned.findings:
                self.report.finding(finding, fact.at, self.parsed.format)
            self.taken += not planned.findings

    async def _missing(self, school: str) -> None:
        """Of a file that calls itself complete: how many pupils it no longer has."""
        if not self.parsed.bulk:
            return
        facts = [fact for fact in self.parsed.enrolments if fact.school == school]
        years = list({fact.school_year for fact in facts})
        ids = [fact.pupil.external_id for fact in facts]
        count = await self.intake.store.pool.fetchval(
            SQL("missing_from_bulk"), school, self.parsed.source, years, ids
        )
        if count:
            self.report.counts.missing += count
            self.report.finding(
                Finding("missing_from_bulk", params={"count": str(count)}), None, self.parsed.format
            )


def _chunks(facts: Sequence[EnrolmentFact], most: int) -> Sequence[Sequence[EnrolmentFact]]:
    return [facts[at : at + most] for at in range(0, len(facts), most)]


def new_report(file: str, *, dry_run: bool) -> Report:
    return Report(import_id=new_id(), file=file, dry_run=dry_run)
