"""Who works at the school: appointed, with the classes that they teach, and gone again (P5, P10).

`person` is that of their staff account where identity knows one. Whoever is unknown here raises `NobodyHere`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.registry.domain.people import name_key
from services.registry.domain.staff import STAFF, Appoint, AssignClass, Command, Leave, UnassignClass
from services.registry.imports.cells import BadCell, Cells
from services.registry.imports.directory_export import door
from services.registry.imports.lines import Source
from services.registry.imports.problems import Problem, Problems
from services.registry.imports.staff_list import StaffRow, parse_staff, read_staff_email
from services.registry.locks import TURN_LOST, SchoolLocks
from services.registry.people import NobodyHere
from services.registry.queries import ClassRow, Queries, today
from shared.contracts.event import Context
from shared.contracts.registry import StaffContact, StaffKind
from shared.decider import Refused
from shared.eventstore.commands import Workspace
from shared.eventstore.units import ConcurrencyConflict, Unit
from shared.ids import new_id
from shared.runtime import Runtime
from shared.sql import Statements

SQL = Statements(__file__)
_TRIES = 10


@dataclass(frozen=True, slots=True)
class TaughtClass:
    class_id: str
    title: str
    year: str


@dataclass(frozen=True, slots=True)
class Member:
    """`kind` is None of somebody who has a staff account and was not appointed. `serves`: appointed, and not left."""

    person: str
    kind: StaffKind | None
    family_name: str | None
    given_name: str | None
    email: str | None
    serves: bool
    appointed: bool
    has_account: bool
    classes: tuple[TaughtClass, ...] = ()

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.given_name, self.family_name) if part)


@dataclass(slots=True)
class Planned:
    """What a list brings about, or would: people by what becomes of them, and what is wrong with it."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    assigned: int = 0
    problems: list[Problem] = field(default_factory=list)
    rows_read: int = 0


class Staffing:
    def __init__(self, runtime: Runtime, locks: SchoolLocks) -> None:
        self._runtime = runtime
        self._pool = runtime.pool
        self._locks = locks
        self._queries = Queries(runtime.pool)

    async def members(self, school: str) -> list[Member]:
        """By name; those who left come last."""
        taught: defaultdict[str, list[TaughtClass]] = defaultdict(list)
        for row in await self._pool.fetch(SQL("teachings"), school):
            taught[row["teacher"]].append(TaughtClass(row["class_id"], row["title"], row["year"]))
        found = [
            Member(
                row["person"],
                None if row["kind"] is None else StaffKind(row["kind"]),
                row["family_name"],
                row["given_name"],
                row["email"],
                row["serves"],
                row["appointed"],
                row["has_account"],
                tuple(taught[row["person"]]),
            )
            for row in await self._pool.fetch(SQL("staff_list"), school)
        ]
        return sorted(found, key=_by_name)

    async def member(self, school: str, person: str) -> Member:
        found = next((m for m in await self.members(school) if m.person == person), None)
        if found is None:
            raise NobodyHere
        return found

    async def classes(self, school: str) -> list[ClassRow]:
        """Those of the latest school year."""
        years = await self._queries.years(school)
        on = today(self._runtime.store.clock())
        return [] if not years else await self._queries.classes(school, years[0], on)

    async def appoint(
        self,
        school: str,
        *,
        kind: StaffKind,
        family_name: str,
        given_name: str,
        email: str | None,
        context: Context,
        person: str | None = None,
    ) -> str:
        """The person's id. `person`: somebody who is known already; None: whoever the name and address are, else new.

        Raises `Refused`: `staff_same_email`, `staff_ambiguous`, `text_unusable`.
        """
        contact = _contact(family_name, given_name, email)
        async with self._locks.held([school]):
            known = await self.members(school)
            if person is None:
                row = StaffRow(0, contact.family_name, contact.given_name, contact.email, kind, ())
                person = _who(row, known) or new_id()
            elif all(m.person != person for m in known):
                raise NobodyHere
            if any(m.person != person and _same_address(m, contact.email) for m in known):
                raise Refused("staff_same_email", "the address is another person's already")
            await self._execute(school, person, Appoint(person, kind, contact), context)
        return person

    async def leave(self, school: str, person: str, *, context: Context) -> bool:
        await self.member(school, person)
        return await self._execute(school, person, Leave(person), context)

    async def teaches(self, school: str, person: str, class_ids: Sequence[str], *, context: Context) -> bool:
        """Exactly these classes of the latest school year; those of other years stay as they are."""
        member = await self.member(school, person)
        there = {row.class_id for row in await self.classes(school)}
        if not set(class_ids) <= there:
            raise NobodyHere
        now = {taught.class_id for taught in member.classes} & there
        done = False
        for class_id in sorted(set(class_ids) - now):
            done |= await self._execute(
                school, person, AssignClass(person, class_id, member.has_account), context
            )
        for class_id in sorted(now - set(class_ids)):
            done |= await self._execute(school, person, UnassignClass(person, class_id), context)
        return done

    async def take_list(
        self, school: str, name: str, content: Source, context: Context, *, dry_run: bool
    ) -> Planned:
        """A list of staff: appoints, corrects and assigns; takes nothing away. Raises `imports.problems.Refused`."""
        listed = await asyncio.to_thread(parse_staff, name, content)
        for tries_left in reversed(range(_TRIES)):
            async with self._locks.held([school]) as turn:
                workspace = Workspace(self._runtime.store)
                planned = await self._plan(school, name, listed.rows, workspace)
                planned.rows_read = listed.rows_read
                planned.problems = sorted([*listed.problems, *planned.problems], key=lambda p: p.line or 0)
                appends = workspace.appends()
                if dry_run or not appends:
                    return planned
                unit = Unit(school, context, appends, (turn.kept(school),))
                try:
                    await self._runtime.store.commit([unit], atomic=True)
                    return planned
                except (ConcurrencyConflict, TURN_LOST):
                    if not tries_left:
                        raise
        raise AssertionError("unreachable")

    async def _plan(self, school: str, name: str, rows: Sequence[StaffRow], workspace: Workspace) -> Planned:
        known = await self.members(school)
        doors = {door(f"{c.grade or ''}{c.section or ''}"): c for c in await self.classes(school)}
        doors |= {door(c.title): c for c in await self.classes(school)}
        await workspace.load(STAFF, [m.person for m in known])
        planned, seen, problems = Planned(), set[str](), Problems()
        for row in rows:
            try:
                found = _who(row, known)
                if any(m.person != found and _same_address(m, row.email) for m in known):
                    raise Refused("staff_same_email", "")
            except Refused as refused:
                problems.error(name, row.line, None, refused.reason)
                continue
            person = found or new_id()
            if person in seen:
                problems.warning(name, row.line, None, "staff_twice")
                continue
            seen.add(person)
            if found is None:
                workspace.new(STAFF, person)
                known.append(_listed(person, row))
            contact = StaffContact(family_name=row.family_name, given_name=row.given_name, email=row.email)
            events = len(workspace.decide(STAFF, person, Appoint(person, row.kind, contact)))
            for each in row.doors:
                klass = doors.get(each)
                if klass is None:
                    problems.warning(name, row.line, "classi", "staff_class_unknown", name=each.upper())
                    continue
                taught = workspace.decide(STAFF, person, AssignClass(person, klass.class_id, True))
                planned.assigned += len(taught)
                events += len(taught)
            planned.new += found is None
            planned.changed += found is not None and events > 0
            planned.unchanged += found is not None and not events
        planned.problems = list(problems.all())
        return planned

    async def _execute(self, school: str, person: str, command: Command, context: Context) -> bool:
        done = await self._runtime.commands.execute(STAFF, person, command, school=school, context=context)
        return bool(done.events)


def _listed(person: str, row: StaffRow) -> Member:
    return Member(person, row.kind, row.family_name, row.given_name, row.email, True, True, False)


def _who(row: StaffRow, known: Sequence[Member]) -> str | None:
    """By address and name; without one of the two addresses, by the name if only one person has it."""
    key = name_key(row.family_name, row.given_name)
    named = [m for m in known if name_key(m.family_name or "", m.given_name or "") == key]
    exact = [m for m in named if _same_address(m, row.email)]
    if exact:
        return exact[0].person
    maybe = [m for m in named if row.email is None or m.email is None]
    if len(maybe) > 1:
        raise Refused("staff_ambiguous", "several people of this name")
    return maybe[0].person if maybe else None


def _same_address(member: Member, email: str | None) -> bool:
    return member.email is not None and email is not None and member.email.casefold() == email.casefold()


def _contact(family_name: str, given_name: str, email: str | None) -> StaffContact:
    """As cells of a file are read. Raises `Refused`."""
    cells = Cells("", Problems())
    try:
        return StaffContact(
            family_name=cells.name(family_name, "cognome"),
            given_name=cells.name(given_name, "nome"),
            email=read_staff_email(cells, email or "", "email"),
        )
    except BadCell as bad:
        raise Refused("text_unusable", f"{cells.column} is not in the expected form ({bad.code})") from None


def _by_name(member: Member) -> tuple[bool, str, str]:
    gone = member.appointed and not member.serves
    return gone, name_key(member.family_name or "", ""), name_key(member.given_name or "", "")
