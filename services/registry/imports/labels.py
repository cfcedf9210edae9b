"""School years and classes as schools write them: `2026/27`, `1ª A Scientifico`, `III B`."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

from services.registry.imports.cells import BadCell
from services.registry.imports.facts import SchoolYearFact

_YEAR: Final = re.compile(r"((?:19|20|21)[0-9]{2})\s*[/-]\s*((?:19|20|21)?[0-9]{2})", re.ASCII)
_CLASS: Final = re.compile(
    r"(?:classe\s+)?(?P<grade>[1-9]|1[0-3]|I{1,3}|IV|V|VI{1,3})(?:\s*[ªº°^]|\s*a\b(?=\s+[A-Z]\b))?[\s-]*"
    r"(?P<section>[A-Z]{1,3}[0-9]?)?(?![A-Za-z0-9])[\s-]*(?P<rest>.*)",
    re.ASCII | re.IGNORECASE,
)
_ROMAN: Final = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8}


@dataclass(frozen=True, slots=True)
class ClassLabel:
    """`grade` None and `section` empty where the text says nothing of them."""

    grade: int | None
    section: str
    curriculum: str | None


def school_year_label(text: str) -> str:
    """`2026/2027` from `2026/2027`, `2026/27` or `2026-2027`; `BadCell` otherwise."""
    match = _YEAR.fullmatch(text.strip())
    if not match:
        raise BadCell("school_year")
    start = int(match[1])
    if int(match[2]) not in {start + 1, (start + 1) % 100}:
        raise BadCell("school_year")
    return label_of(start + 1)


def label_of(ending_year: int) -> str:
    return f"{ending_year - 1}/{ending_year}"


def italian_school_year(label: str) -> SchoolYearFact:
    """The school year by law: from 1 September to 31 August."""
    start = int(label[:4])
    return SchoolYearFact(label, dt.date(start, 9, 1), dt.date(start + 1, 8, 31))


def read_class(text: str) -> ClassLabel:
    """Grade, section and curriculum of a class's title; grade None where the title is of another kind."""
    match = _CLASS.fullmatch(text.strip())
    if not match:
        return ClassLabel(None, "", None)
    grade = match["grade"].upper()
    number = int(grade) if grade.isdigit() else _ROMAN[grade]
    return ClassLabel(number, (match["section"] or "").upper(), match["rest"].strip() or None)


def read_grade(text: str) -> int | None:
    """A grade of 1 to 13 from `1`, `01`, `1ª` or `I`; None where it is none of these."""
    value = text.strip().rstrip("ªº°^ ").upper()
    if value in _ROMAN:
        return _ROMAN[value]
    return int(value) if value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= 13 else None
