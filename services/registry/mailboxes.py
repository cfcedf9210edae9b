"""The pupils' institutional mailboxes that are there and receive (E8): told by an API, a directory's export, the bus.

A pupil is meant by the opaque id, by what one of the school's systems calls them, by codice fiscale, or by name and
class. What cannot be meant by one pupil alone stays out, with its reason; saying the same again brings about nothing.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import asyncpg
import orjson

from services.registry.domain.people import name_key
from services.registry.domain.student import STUDENT
from services.registry.domain.student_desk import ActivateMailbox
from services.registry.imports.directory_export import DirectoryRow, door, parse_directory
from services.registry.imports.lines import Source
from services.registry.imports.problems import Problem
from services.registry.locks import TURN_LOST, SchoolLocks
from services.registry.queries import today
from shared.contracts.event import Context
from shared.eventstore.commands import Workspace
from shared.eventstore.units import ConcurrencyConflict, IdempotencyKey, Unit
from shared.runtime import Runtime
from shared.sql import Statements

SQL = Statements(__file__)
_TRIES = 10


class Wanted(NamedTuple):
    """`at`: the line of a file, or the place in a request. `klass` as `directory_export.door` has it."""

    at: int
    address: str
    student: str | None = None
    source: str | None = None
    external_id: str | None = None
    codice_fiscale: str | None = None
    name_key: str | None = None
    klass: str | None = None


class Wrong(NamedTuple):
    """One of the wanted stays out; `code` is of the catalogue of messages."""

    at: int
    code: str


@dataclass(slots=True)
class Outcome:
    """What came, or would come, of it. `chosen`: student and address of each that is, or would be, activated."""

    chosen: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    key_reused: bool = False


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """Of a file: `problems` are those of its rows, the reader's and ours."""

    outcome: Outcome
    problems: tuple[Problem, ...]
    rows_read: int


@dataclass(frozen=True, slots=True)
class ClassMailboxes:
    class_id: str
    title: str
    pupils: int
    active: int


@dataclass(frozen=True, slots=True)
class _Pupil:
    student: str
    name_key: str | None
    codice_fiscale: str | None
    mailbox: str | None
    doors: frozenset[str]
    ended: bool
    ids: frozenset[tuple[str, str]]


class Mailboxes:
    def __init__(self, runtime: Runtime, locks: SchoolLocks) -> None:
        self._runtime = runtime
        self._pool = runtime.pool
        self._locks = locks

    async def activate(
        self,
        school: str,
        wanted: Sequence[Wanted],
        context: Context,
        *,
        dry_run: bool = False,
        key: IdempotencyKey | None = None,
    ) -> Outcome:
        """Activate those that can be, in one commit; with `dry_run` only say which."""
        if dry_run:
            return await self._chosen(school, wanted)
        for tries_left in reversed(range(_TRIES)):
            async with self._locks.held([school]) as turn:
                if key is not None and (known := await self._known(key)) is not None:
                    return known
                outcome = await self._chosen(school, wanted)
                workspace = Workspace(self._runtime.store)
                await workspace.load(STUDENT, [student for student, _ in outcome.chosen])
                for student, address in outcome.chosen:
                    workspace.decide(STUDENT, student, ActivateMailbox(student, address))
                appends = workspace.appends()
                if not appends and (key is None or outcome.wrong):
                    return outcome
                kept = key if not outcome.wrong else None
                result = {"known": len(outcome.chosen) + outcome.unchanged}
                unit = Unit(school, context, appends, (turn.kept(school),), kept, result)
                try:
                    await self._runtime.store.commit([unit], atomic=True)
                except (ConcurrencyConflict, TURN_LOST):
                    if not tries_left:
                        raise
                    continue
                return outcome
        raise AssertionError("unreachable")

    async def activate_file(
        self, school: str, name: str, content: Source, context: Context, *, dry_run: bool
    ) -> FileOutcome:
        """A directory's export. Raises `imports.problems.Refused` where the file as a whole cannot be read."""
        export = await asyncio.to_thread(parse_directory, name, content)
        outcome = await self.activate(school, list(wanted_of(export.rows)), context, dry_run=dry_run)
        ours = [Problem(name, wrong.at, None, wrong.code, "error") for wrong in outcome.wrong]
        problems = sorted((*export.problems, *ours), key=lambda p: (p.line or 0, p.code))
        return FileOutcome(outcome, tuple(problems), export.rows_read)

    async def by_class(self, school: str, year: str, on: date) -> list[ClassMailboxes]:
        rows = await self._pool.fetch(SQL("mailbox_counts"), school, year, on)
        return [ClassMailboxes(r["class_id"], r["title"], r["pupils"], r["active"]) for r in rows]

    async def _known(self, key: IdempotencyKey) -> Outcome | None:
        """What a repeated key was answered."""
        row = await self._pool.fetchrow(SQL("known_results"), [key.scope], [key.key])
        if row is None:
            return None
        if row["fingerprint"] != key.fingerprint:
            return Outcome(key_reused=True)
        return Outcome(unchanged=int(json.loads(row["result"])["known"]))

    async def _chosen(self, school: str, wanted: Sequence[Wanted]) -> Outcome:
        known = await self._pupils(school, wanted)
        owners = await self._owners(school, wanted)
        outcome = Outcome()
        meant: list[tuple[Wanted, _Pupil]] = []
        for one in wanted:
            found = _meant(one, known)
            code = _doubt(found, one, owners)
            if code is None:
                meant.append((one, found[0]))
            else:
                outcome.wrong.append(Wrong(one.at, code))
        by_address: defaultdict[str, set[str]] = defaultdict(set)
        for one, pupil in meant:
            by_address[one.address.lower()].add(pupil.student)
        taken: dict[str, str] = {}
        for one, pupil in meant:
            before = taken.get(pupil.student)
            if len(by_address[one.address.lower()]) > 1:
                outcome.wrong.append(Wrong(one.at, "mailbox_twice"))
            elif before is not None and before != one.address:
                outcome.wrong.append(Wrong(one.at, "mailbox_two_for_one"))
            elif before is None:
                taken[pupil.student] = one.address
                if pupil.mailbox == one.address:
                    outcome.unchanged += 1
                else:
                    outcome.chosen.append((pupil.student, one.address))
        outcome.wrong.sort()
        return outcome

    async def _pupils(self, school: str, wanted: Sequence[Wanted]) -> list[_Pupil]:
        on = today(self._runtime.store.clock())
        rows = await self._pool.fetch(
            SQL("mailbox_pupils"),
            school,
            _asked(w.student for w in wanted),
            _asked(w.external_id for w in wanted),
            _asked(w.codice_fiscale for w in wanted),
            _asked(w.name_key for w in wanted),
            on,
        )
        return [_pupil(row) for row in rows]

    async def _owners(self, school: str, wanted: Sequence[Wanted]) -> dict[str, set[tuple[str, str]]]:
        owners: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        asked = _asked(w.address.lower() for w in wanted)
        for row in await self._pool.fetch(SQL("mailbox_owners"), school, asked):
            owners[row["address"]].add((row["kind"], row["person"]))
        return owners


def wanted_of(rows: Iterable[DirectoryRow]) -> Iterable[Wanted]:
    for row in rows:
        named = bool(row.family_name and row.given_name)
        yield Wanted(
            row.line,
            row.email,
            external_id=row.external_id,
            codice_fiscale=row.codice_fiscale,
            name_key=name_key(row.family_name, row.given_name) if named else None,
            klass=row.klass or None,
        )


def _meant(one: Wanted, known: Sequence[_Pupil]) -> list[_Pupil]:
    """Whom the strongest of what is said means: id, then codice fiscale, then name and class."""
    if one.student is not None:
        return [p for p in known if p.student == one.student]
    if one.external_id is not None:
        by_id = [
            p
            for p in known
            if any(i == one.external_id and one.source in (None, source) for source, i in p.ids)
        ]
        if by_id or one.source is not None:
            return by_id
    if one.codice_fiscale is not None:
        by_code = [p for p in known if p.codice_fiscale == one.codice_fiscale]
        if by_code:
            return by_code
    if one.name_key is None or one.klass is None:
        return []
    return [p for p in known if p.name_key == one.name_key and one.klass in p.doors]


def _doubt(found: Sequence[_Pupil], one: Wanted, owners: dict[str, set[tuple[str, str]]]) -> str | None:
    """Why this mailbox is not activated; None where it may be."""
    if len(found) != 1:
        return "mailbox_pupil_ambiguous" if found else "mailbox_pupil_unknown"
    (pupil,) = found
    others = owners.get(one.address.lower(), set()) - {("pupil", pupil.student)}
    if pupil.ended:
        return "mailbox_left"
    if any(kind == "guardian" for kind, _ in others):
        return "mailbox_of_guardian"
    return "mailbox_taken" if others else None


def _pupil(row: asyncpg.Record) -> _Pupil:
    title, grade, section = row["title"] or "", row["grade"], row["section"]
    return _Pupil(
        row["student"],
        row["name_key"],
        row["codice_fiscale"],
        row["address"],
        frozenset({door(title), door(f"{grade or ''}{section or ''}")} - {""}),
        bool(row["ended"]) or not title,
        frozenset((source, i) for source, i in json.loads(row["ids"] or "[]")),
    )


def _asked(values: Iterable[str | None]) -> str:
    return orjson.dumps([*{value for value in values if value is not None}]).decode()
