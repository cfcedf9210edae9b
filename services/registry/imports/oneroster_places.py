"""Schools, school years and homeroom classes of a OneRoster ZIP."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from services.registry.imports import oneroster_layout as layout
from services.registry.imports.cells import BadCell, Cells
from services.registry.imports.facts import ClassFact, SchoolFact, SchoolYearFact, Where
from services.registry.imports.labels import (
    italian_school_year,
    label_of,
    read_class,
    read_grade,
    school_year_label,
)
from services.registry.imports.oneroster_tables import OpenTable, Tables
from services.registry.imports.problems import Problems

_ENDED: Final = "tobedeleted"
_STEPS: Final = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A homeroom class, whether the file deletes it, and the last day of its school year."""

    fact: ClassFact
    ended: bool
    ends: dt.date


@dataclass(frozen=True, slots=True)
class _Session:
    kind: str
    starts: dt.date
    ends: dt.date
    parent: str
    label: str


class Places:
    """Filled by `read`. Keys are the file's sourcedIds, except `years`, by label, and `schools`, by codice."""

    def __init__(self, tables: Tables, problems: Problems) -> None:
        self.schools: dict[str, SchoolFact] = {}
        self.years: dict[str, SchoolYearFact] = {}
        self.classes: dict[str, Place] = {}
        self.ended_classes: dict[str, Where] = {}
        self.other_classes: set[str] = set()
        self.left_out: set[str] = set()
        self._tables = tables
        self._problems = problems
        self._codici: dict[str, str] = {}
        self._sessions: dict[str, _Session] = {}

    def read(self) -> None:
        self._read_schools()
        self._read_sessions()
        self._read_classes()

    def _read_schools(self) -> None:
        with self._tables.open("orgs", layout.ORGS) as table:
            cells = table.cells
            for cells.line, (sid, _, name, kind, identifier) in table:
                if kind.strip().lower() != "school":
                    continue
                try:
                    key = cells.identifier(sid, table.headers["sourcedId"])
                    codice = self._codice(cells, table, key, identifier)
                    school = SchoolFact(codice, cells.words(name, table.headers["name"]) or None)
                except BadCell as bad:
                    cells.error(bad)
                    continue
                self.schools.setdefault(codice, school)
                self._codici[key] = codice
        if self._tables.bulk and not self.schools:
            self._problems.error("orgs.csv", None, None, "no_school")

    def _codice(self, cells: Cells, table: OpenTable, key: str, identifier: str) -> str:
        column = table.headers["identifier"]
        if identifier.strip():
            return cells.codice_meccanografico(identifier, column)
        try:
            codice = cells.codice_meccanografico(key, column)
        except BadCell:
            raise BadCell("missing") from None
        self._problems.warning(table.file, cells.line, column, "school_code_in_id")
        return codice

    def _read_sessions(self) -> None:
        with self._tables.open("academicSessions", layout.SESSIONS) as table:
            cells = table.cells
            for cells.line, (sid, _, _, kind, start, end, parent, year) in table:
                try:
                    key = cells.identifier(sid, table.headers["sourcedId"])
                    starts = _required(cells.date(start, table.headers["startDate"]))
                    ends = _required(cells.date(end, table.headers["endDate"]))
                    if ends < starts:
                        raise BadCell("dates_reversed")
                    label = self._label(cells, starts, ends, year, table.headers["schoolYear"])
                except BadCell as bad:
                    cells.error(bad)
                    continue
                self._sessions[key] = _Session(kind.strip().lower(), starts, ends, parent.strip(), label)
        for session in self._sessions.values():
            if session.kind == "schoolyear":
                self.years.setdefault(
                    session.label, SchoolYearFact(session.label, session.starts, session.ends)
                )

    def _label(self, cells: Cells, starts: dt.date, ends: dt.date, text: str, column: str) -> str:
        """`schoolYear` is the ending year; where it contradicts the dates, the dates are right."""
        by_dates = label_of(
            ends.year if ends.month < 10 and (ends.year > starts.year or ends.month < 9) else ends.year + 1
        )
        value = text.strip()
        if not value:
            return by_dates
        cells.column = column
        given = (
            label_of(int(value))
            if len(value) == 4 and value.isascii() and value.isdigit()
            else school_year_label(value)
        )
        if given != by_dates:
            self._problems.warning(cells.file, cells.line, column, "year_start_not_end")
        return by_dates

    def _read_classes(self) -> None:
        with self._tables.open("classes", layout.CLASSES) as table:
            cells = table.cells
            for cells.line, (sid, status, title, grades, code, kind, school, terms) in table:
                if kind.strip().lower() != "homeroom":
                    self.other_classes.add(sid.strip())
                    continue
                try:
                    key = cells.identifier(sid, table.headers["sourcedId"])
                    self.left_out.add(key)
                    if key in self.classes:
                        self._problems.warning(table.file, cells.line, table.headers["sourcedId"], "id_twice")
                        continue
                    year = self._year_of(cells, terms, table.headers["termSourcedIds"])
                    codice = self._codici.get(school.strip())
                    if codice is None:
                        cells.column = table.headers["schoolSourcedId"]
                        raise BadCell("school_unknown")
                    fact = _class_fact(cells, key, title, grades, code, codice, year.label)
                except BadCell as bad:
                    cells.error(bad)
                    continue
                ended = status.strip().lower() == _ENDED
                if ended:
                    self.ended_classes[key] = Where(table.file, cells.line)
                self.classes[key] = Place(fact, ended, year.ends)
        if self._tables.bulk and not self.classes and not self.left_out:
            self._problems.error("classes.csv", None, None, "no_homeroom")

    def _year_of(self, cells: Cells, terms: str, column: str) -> SchoolYearFact:
        """The school year of the first term that leads to one; the file's only year where none does."""
        for term in terms.replace(";", ",").split(","):
            session = self._sessions.get(term.strip())
            for _ in range(_STEPS):
                if session is None or session.kind == "schoolyear":
                    break
                session = self._sessions.get(session.parent, session)
            if session is not None:
                return self.years.setdefault(session.label, italian_school_year(session.label))
        cells.column = column
        if len(self.years) != 1:
            raise BadCell("year_unknown")
        self._problems.warning(cells.file, cells.line, column, "year_assumed")
        return next(iter(self.years.values()))


def _class_fact(
    cells: Cells, key: str, title: str, grades: str, code: str, codice: str, year: str
) -> ClassFact:
    """Grade and section as the class code or the title has them; `grades` only where neither does."""
    title = cells.name(title, "title")
    label = read_class(title)
    short = read_class(cells.words(code, "classCode"))
    grade = short.grade or label.grade or read_grade(grades.partition(",")[0])
    return ClassFact(
        key, grade, short.section or label.section, label.curriculum or short.curriculum, title, codice, year
    )


def _required(date: dt.date | None) -> dt.date:
    if date is None:
        raise BadCell("missing")
    return date
