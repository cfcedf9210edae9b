"""Who is who at one school: looked up for a whole batch at once, with what the batch itself has added.

A person is matched by (source, external id), then by codice fiscale; never by e-mail, which two parents may share
(IMPORTS.md, M2). Anything weaker is only ever proposed. What is asked for goes as one JSON text, not as an array,
of which the driver would examine every element.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import orjson

from services.registry.domain.people import name_key
from services.registry.imports.facts import ClassFact, EnrolmentFact, GuardianFact, PupilFact
from shared.contracts.registry import PersonKind
from shared.database import Pool
from shared.sql import Statements

SQL = Statements(__file__)


class Match(NamedTuple):
    """`person` is None of somebody new. `disagree`: the id is one person's, the codice fiscale another's."""

    person: str | None
    disagree: bool = False


_NOBODY = Match(None)


class Known(NamedTuple):
    """Ids of people, once each and in the order in which they were said."""

    pupils: Sequence[str]
    guardians: Sequence[str]


class Directory:
    """`look_up` before a batch; then `match` and `remember` without I/O."""

    def __init__(self, pool: Pool, school: str) -> None:
        self._pool = pool
        self._school = school
        self._ids: dict[tuple[PersonKind, str, str], str] = {}
        self._codes: dict[tuple[PersonKind, str], str] = {}
        self._namesakes: dict[tuple[str, date, str], list[str]] = {}
        self._guardians_of: dict[str, set[str]] = {}

    async def look_up(self, facts: Sequence[EnrolmentFact]) -> Known:
        """Whoever is known of these; several have one answer when they are one person."""
        pupils = [fact.pupil for fact in facts]
        guardians = [guardian for fact in facts for guardian in fact.guardians]
        await self.look_up_ids(PersonKind.pupil, [(p.source, p.external_id) for p in pupils])
        await self.look_up_ids(PersonKind.guardian, [(g.source, g.external_id) for g in guardians])
        codes = (_codes(pupils), _codes(guardians))
        for row in await self._pool.fetch(SQL("people_by_codice_fiscale"), self._school, *codes):
            self._codes[PersonKind(row["kind"]), row["codice_fiscale"]] = row["person"]
        matched = self._matched(PersonKind.pupil, pupils)
        await self._look_up_names([p for p, person in zip(pupils, matched, strict=True) if person is None])
        known = [*dict.fromkeys(person for person in matched if person is not None)]
        if known:
            for row in await self._pool.fetch(SQL("guardians_of"), _asked(known)):
                self._guardians_of.setdefault(row["student"], set()).add(row["guardian"])
        said = self._matched(PersonKind.guardian, guardians)
        theirs = [guardian for pupil in known for guardian in self.guardians_of(pupil)]
        return Known(known, [*dict.fromkeys(g for g in [*said, *theirs] if g is not None)])

    def by_id(self, kind: PersonKind, source: str, external_id: str) -> str | None:
        return self._ids.get((kind, source, external_id))

    def match(self, kind: PersonKind, fact: PupilFact | GuardianFact) -> Match:
        by_id = self._ids.get((kind, fact.source, fact.external_id))
        code = fact.codice_fiscale
        by_code = None if code is None else self._codes.get((kind, code))
        if by_id is None:
            return _NOBODY if by_code is None else Match(by_code)
        return Match(by_id, disagree=by_code is not None and by_id != by_code)

    def namesakes(self, fact: PupilFact) -> Sequence[str]:
        """Pupils of the same name, born on the same day, of whom this system never spoke."""
        if fact.birth_date is None or not self._namesakes:
            return ()
        key = (name_key(fact.family_name, fact.given_name), fact.birth_date, fact.source)
        return self._namesakes.get(key, ())

    def guardians_of(self, student: str) -> Sequence[str]:
        known = self._guardians_of.get(student)
        return sorted(known) if known else ()

    def remember(self, kind: PersonKind, fact: PupilFact | GuardianFact, person: str) -> None:
        self._ids[kind, fact.source, fact.external_id] = person
        if fact.codice_fiscale is not None:
            self._codes.setdefault((kind, fact.codice_fiscale), person)

    def remember_guardian(self, student: str, guardian: str) -> None:
        self._guardians_of.setdefault(student, set()).add(guardian)

    def _matched(self, kind: PersonKind, said: Sequence[PupilFact | GuardianFact]) -> list[str | None]:
        """As `match` has them, each in its place."""
        ids, codes = self._ids, self._codes
        return [
            ids.get((kind, one.source, one.external_id)) or codes.get((kind, one.codice_fiscale or ""))
            for one in said
        ]

    async def look_up_ids(self, kind: PersonKind, ids: Sequence[tuple[str, str]]) -> None:
        """People of whom (source, external id) is said."""
        by_source: defaultdict[str, list[str]] = defaultdict(list)
        for source, external_id in dict.fromkeys(ids):
            if (kind, source, external_id) not in self._ids:
                by_source[source].append(external_id)
        for source, wanted in by_source.items():
            asked = (self._school, kind, source, _asked(wanted))
            for row in await self._pool.fetch(SQL("identified_people"), *asked):
                self._ids[kind, source, row["external_id"]] = row["person"]

    async def _look_up_names(self, new: Sequence[PupilFact]) -> None:
        wanted = {
            (name_key(p.family_name, p.given_name), p.birth_date, p.source) for p in new if p.birth_date
        }
        if not wanted:
            return
        for row in await self._pool.fetch(SQL("namesakes"), self._school, _asked([*wanted])):
            key = (row["name_key"], row["birth_date"], row["source"])
            found = self._namesakes.setdefault(key, [])
            if row["student"] not in found:
                found.append(row["student"])


def _codes(people: Iterable[PupilFact | GuardianFact]) -> str:
    return _asked([*{person.codice_fiscale for person in people if person.codice_fiscale is not None}])


def _asked(wanted: Sequence[object]) -> str:
    return orjson.dumps(wanted).decode()


@dataclass(slots=True)
class _Class:
    class_id: str
    door: tuple[int | None, str | None]
    curriculum: str | None
    sources: set[str]


class ClassBook:
    """The classes of a school's years, by what each system calls them, and by what stands on their door."""

    def __init__(self, pool: Pool, school: str) -> None:
        self._pool = pool
        self._school = school
        self._years: set[str] = set()
        self._ids: dict[tuple[str, str, str], str] = {}
        self._classes: dict[str, dict[str, _Class]] = {}

    async def load(self, years: Iterable[str]) -> None:
        missing = [year for year in set(years) if year not in self._years]
        if not missing:
            return
        self._years.update(missing)
        for row in await self._pool.fetch(SQL("classes_of_years"), self._school, missing):
            door = (row["grade"], _section(row["section"]))
            known = self._classes.setdefault(row["year"], {}).setdefault(
                row["class_id"], _Class(row["class_id"], door, row["curriculum"], set())
            )
            if row["source"] is not None:
                known.sources.add(row["source"])
                self._ids[row["year"], row["source"], row["external_id"]] = row["class_id"]

    def by_id(self, year: str, source: str, external_id: str) -> str | None:
        return self._ids.get((year, source, external_id))

    def candidates(self, fact: ClassFact, source: str) -> Sequence[str]:
        """Classes with this grade and section on their door that `source` has not named otherwise."""
        return [known.class_id for known in self._like(fact, source)]

    def by_door(self, fact: ClassFact, source: str) -> str | None:
        """The one class that it can only be: same door, and a curriculum that does not speak against it."""
        found = self._like(fact, source)
        exact = [known for known in found if _folded(known.curriculum) == _folded(fact.curriculum)]
        vague = [known for known in found if known.curriculum is None or fact.curriculum is None]
        chosen = exact or vague
        return chosen[0].class_id if len(chosen) == 1 else None

    def is_anothers(self, fact: ClassFact, class_id: str) -> bool:
        """Whether what `fact` has on its door stands on another class of the year, and not on the class it is."""
        door, classes = (fact.grade, _section(fact.section)), self._classes.get(fact.school_year, {})
        own = classes.get(class_id)
        if None in door or (own is not None and own.door == door):
            return False
        course = _folded(fact.curriculum)
        return any(
            each.door == door and (not course or _folded(each.curriculum) in ("", course))
            for each in classes.values()
        )

    def is_second(self, fact: ClassFact, listed: Iterable[tuple[str, str, str]]) -> bool:
        """Whether a class with this door and curriculum is there already, that the file does not speak of (`listed`:
        source, year and id of those it does): two of them in one file are two classes."""
        door, course = (fact.grade, _section(fact.section)), _folded(fact.curriculum)
        if None in door:
            return False
        spoken_of = {self._ids.get((year, source, each)) for source, year, each in listed}
        return any(
            known.door == door and _folded(known.curriculum) == course and known.class_id not in spoken_of
            for known in self._classes.get(fact.school_year, {}).values()
        )

    def remember(self, fact: ClassFact, source: str, class_id: str) -> None:
        key = (fact.school_year, source, fact.external_id)
        if self._ids.get(key) == class_id:
            return
        self._ids[key] = class_id
        door = (fact.grade, _section(fact.section))
        known = self._classes.setdefault(fact.school_year, {}).setdefault(
            class_id, _Class(class_id, door, fact.curriculum, set())
        )
        known.sources.add(source)

    def _like(self, fact: ClassFact, source: str) -> list[_Class]:
        door = (fact.grade, _section(fact.section))
        if None in door:
            return []
        known = self._classes.get(fact.school_year, {}).values()
        return [each for each in known if each.door == door and source not in each.sources]


def _section(section: str | None) -> str | None:
    return section.casefold() if section else None


def _folded(curriculum: str | None) -> str:
    return (curriculum or "").casefold()
