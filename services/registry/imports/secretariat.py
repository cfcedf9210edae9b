"""The secretariat's CSV to facts: one row for each pupil and guardian, grouped into one enrolment for each pupil.

A finding in a guardian's columns leaves the guardian out, never the pupil. Two rows that disagree about a pupil are a
finding: the first one stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.registry.imports.cells import BadCell, Cells
from services.registry.imports.facts import (
    ClassFact,
    EnrolmentFact,
    GuardianFact,
    Parsed,
    PupilFact,
    SchoolFact,
    Where,
)
from services.registry.imports.labels import italian_school_year, read_class, read_grade, school_year_label
from services.registry.imports.lines import Source
from services.registry.imports.people import read_codice_fiscale
from services.registry.imports.problems import Problems
from services.registry.imports.secretariat_guardians import Guardians
from services.registry.imports.secretariat_layout import (
    END_REASONS,
    ENROLMENT_FIELDS,
    GUARDIAN_AT,
    KINDS,
    PUPIL_FIELDS,
    layout_for,
    listed,
    merged,
)
from services.registry.imports.table import Table

SOURCE: Final = "secretariat"
Key = tuple[str, str, str]


@dataclass(slots=True)
class _Group:
    """A pupil's rows so far: the enrolment they state, and the guardians of all, by code."""

    enrolment: EnrolmentFact
    guardians: dict[str, GuardianFact]


def parse(
    name: str, stream: Source, *, mapping: Mapping[str, str] | None = None, source: str | None = None
) -> Parsed:
    """Reads the CSV called `name`. `mapping` goes from our column's name to the file's header."""
    return _Secretariat(name, stream, mapping, source or SOURCE).parsed()


class _Secretariat:
    def __init__(self, name: str, stream: Source, mapping: Mapping[str, str] | None, source: str) -> None:
        self.problems = Problems()
        self.source = source
        self.table = Table(name, stream, layout_for(mapping), self.problems, cp1252_expected=True)
        self.cells = Cells(name, self.problems)
        self.headers = self.table.headers
        self.guardians = Guardians(self.cells, self.headers, source)
        self.classes: dict[Key, ClassFact] = {}
        self.groups: dict[Key, _Group] = {}
        self.fiscal: dict[tuple[str, str], tuple[str, int]] = {}

    def parsed(self) -> Parsed:
        cells = self.cells
        for cells.line, row in self.table:
            try:
                group = self._pupil(row)
                self._guardian(group, row[GUARDIAN_AT:])
            except BadCell as bad:
                self.cells.error(bad)
        if not self.table.rows_read and not self.problems.errors:
            self.problems.warning(self.table.file, None, None, "no_rows")
        groups = self.groups.values()
        labels = dict.fromkeys(klass.school_year for klass in self.classes.values())
        return Parsed(
            format="secretariat",
            source=self.source,
            schools=tuple(map(SchoolFact, dict.fromkeys(klass.school for klass in self.classes.values()))),
            years=tuple(map(italian_school_year, labels)),
            classes=tuple(self.classes.values()),
            enrolments=tuple(g.enrolment._replace(guardians=tuple(g.guardians.values())) for g in groups),
            endings=(),
            problems=self.problems.all(),
            bulk=False,
            rows_read=self.table.rows_read,
            errors=self.problems.errors,
            warnings=self.problems.warnings,
        )

    def _pupil(self, row: tuple[str, ...]) -> _Group:
        """The pupil's group, new or known. `BadCell` where the row cannot be taken at all."""
        cells = self.cells
        codice, year, grade, section, curriculum, code, family, given, born, fiscal, email = row[:11]
        kind, starts, ends, reason = row[11:GUARDIAN_AT]
        school = cells.codice_meccanografico(codice, self.headers["codice_meccanografico"])
        cells.column = self.headers["anno_scolastico"]
        label = school_year_label(year)
        klass = self._class(school, label, grade, section, curriculum)
        external_id = cells.identifier(code, self.headers["codice_alunno"])
        known = self.groups.get((school, label, external_id))
        birth = cells.date(born, self.headers["data_nascita_alunno"])
        pupil = PupilFact(
            self.source,
            external_id,
            cells.name(family, self.headers["cognome_alunno"]),
            cells.name(given, self.headers["nome_alunno"]),
            birth,
            read_codice_fiscale(cells, fiscal, self.headers["codice_fiscale_alunno"], birth),
            cells.soft(cells.email, email, self.headers["email_istituzionale_alunno"]),
        )
        begin = cells.date(starts, self.headers["data_inizio"])
        end = cells.date(ends, self.headers["data_fine"])
        if begin and end and end < begin:
            raise BadCell("dates_reversed")
        why = listed(cells, END_REASONS, reason, self.headers["motivo_fine"])
        enrolment = EnrolmentFact(
            pupil,
            school,
            label,
            klass.external_id,
            listed(cells, KINDS, kind, self.headers["tipo_iscrizione"]),
            begin,
            end,
            why,
            (),
            end is not None or why is not None,
            Where(self.table.file, cells.line),
        )
        return self._again(known, enrolment) if known else self._first(enrolment, klass)

    def _first(self, enrolment: EnrolmentFact, klass: ClassFact) -> _Group:
        pupil, line = enrolment.pupil, enrolment.at.line
        if pupil.codice_fiscale:
            key = (enrolment.school, pupil.codice_fiscale)
            owner, at = self.fiscal.setdefault(key, (pupil.external_id, line))
            if owner != pupil.external_id:
                self.cells.column = self.headers["codice_fiscale_alunno"]
                raise BadCell("same_codice_fiscale", line=str(at))
        self.classes.setdefault((klass.school, klass.school_year, klass.external_id), klass)
        group = _Group(enrolment, {})
        self.groups[(enrolment.school, enrolment.school_year, pupil.external_id)] = group
        return group

    def _again(self, group: _Group, later: EnrolmentFact) -> _Group:
        """A further row of a known pupil: it may fill what was empty, and contradict nothing."""
        first = group.enrolment
        column, pupil = merged(first.pupil, later.pupil, PUPIL_FIELDS)
        if pupil:
            column, enrolment = merged(first, later, ENROLMENT_FIELDS)
        if not pupil or not enrolment:
            self.cells.column = self.headers[column] if column else None
            raise BadCell("contradiction", line=str(first.at.line))
        group.enrolment = enrolment._replace(pupil=pupil, ended=first.ended or later.ended)
        return group

    def _guardian(self, group: _Group, row: tuple[str, ...]) -> None:
        """Adds the row's guardian, once. A row without one is a pupil's alone."""
        found = self.guardians.read(row, group.enrolment.pupil.codice_fiscale)
        if found is None:
            return
        if found.external_id in group.guardians:
            line = self.guardians.line_of(found)
            self.problems.warning(self.table.file, self.cells.line, None, "duplicate_row", line=str(line))
            return
        group.guardians[found.external_id] = found

    def _class(self, school: str, year: str, grade: str, section: str, curriculum: str) -> ClassFact:
        """`1` and `A`, or `1A` in one column; the id is made of what is on the door, so that it lasts."""
        cells = self.cells
        column = self.headers["classe"]
        grade = cells.words(grade, column)
        section = cells.words(section, self.headers["sezione"])
        course = cells.words(curriculum, self.headers["indirizzo"]) or None
        cells.column = column
        if not grade:
            raise BadCell("missing")
        number = read_grade(grade)
        if number is None:
            label = read_class(grade)
            number, section = label.grade, section or label.section
        if number is None:
            raise BadCell("grade")
        if not section:
            cells.column = self.headers["sezione"]
            raise BadCell("missing")
        title = f"{number}{section.upper()}"
        external_id = f"{title} {course.casefold()}" if course else title
        return ClassFact(external_id, number, section.upper(), course, title, school, year)
