"""What a file says, whatever its format: frozen rows that the registry decides upon.

Text is cleaned (NFC, no control characters, one space between words), codes are checked and in upper case. A field
that the file leaves empty is None, and the school's policy decides. `school` is always a codice meccanografico and
`school_year` a label such as `2026/2027`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from services.registry.imports.problems import Problem
from shared.contracts.registry import EndReason, EnrolmentKind, Relationship

Format = Literal["oneroster", "secretariat"]


class Where(NamedTuple):
    """The row that says it. Line 1 is the header."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class SchoolFact:
    codice: str
    name: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class SchoolYearFact:
    label: str
    starts: date
    ends: date


@dataclass(frozen=True, slots=True)
class ClassFact:
    """A class of a school in a year. `grade` is the number on its door (1 in `1A`), not a level of a curriculum.

    `external_id` is unique within (school, school_year).
    """

    external_id: str
    grade: int | None
    section: str
    curriculum: str | None
    title: str
    school: str
    school_year: str


class PupilFact(NamedTuple):
    """A pupil, identified by (source, external_id), then by codice fiscale."""

    source: str
    external_id: str
    family_name: str
    given_name: str
    birth_date: date | None = None
    codice_fiscale: str | None = None
    institutional_email: str | None = None


class GuardianFact(NamedTuple):
    """A guardian of one pupil. The same person under several pupils has the same (source, external_id) (M1).

    `data_access` and `justifies_online` are None where the school's policy decides (P8, M3).
    """

    source: str
    external_id: str
    family_name: str
    given_name: str
    codice_fiscale: str | None = None
    relationship: Relationship = Relationship.other
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    data_access: bool | None = None
    justifies_online: bool | None = None


class EnrolmentFact(NamedTuple):
    """A pupil in a class. `starts` and `ends` are inclusive, and None where they are the school year's own.

    `ended` says that the file ends the enrolment (a delta's `tobedeleted`, an end date or reason given): on `ends`, or
    at once when `ends` is None.
    """

    pupil: PupilFact
    school: str
    school_year: str
    class_external_id: str
    kind: EnrolmentKind | None
    starts: date | None
    ends: date | None
    end_reason: EndReason | None
    guardians: tuple[GuardianFact, ...]
    ended: bool
    at: Where


@dataclass(frozen=True, slots=True)
class EndingFact:
    """A delta ends something of which it gives only the ids: what it names is looked up by the registry.

    `what` is `person` (pupil or guardian), `class`, or `enrolment` (of the pupil `external_id` in
    `class_external_id`).
    """

    what: Literal["person", "class", "enrolment"]
    source: str
    external_id: str
    class_external_id: str | None
    ends: date | None
    at: Where


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that one file says.

    `bulk`: the file is complete, so what it lacks is gone (reported; ended only when asked). A delta is not.
    `problems` holds the first thousand; `errors` and `warnings` count all of them. `rows_read` counts data rows.
    """

    format: Format
    source: str
    schools: tuple[SchoolFact, ...]
    years: tuple[SchoolYearFact, ...]
    classes: tuple[ClassFact, ...]
    enrolments: tuple[EnrolmentFact, ...]
    endings: tuple[EndingFact, ...]
    problems: tuple[Problem, ...]
    bulk: bool
    rows_read: int
    errors: int
    warnings: int

    def counts(self) -> Mapping[str, int]:
        """Figures for a summary table: people are counted once each."""
        guardians = {(g.source, g.external_id) for e in self.enrolments for g in e.guardians}
        pupils = {(e.pupil.source, e.pupil.external_id) for e in self.enrolments}
        return {
            "schools": len(self.schools),
            "classes": len(self.classes),
            "pupils": len(pupils),
            "guardians": len(guardians),
            "enrolments": len(self.enrolments),
            "endings": len(self.endings),
            "rows": self.rows_read,
            "errors": self.errors,
            "warnings": self.warnings,
        }
