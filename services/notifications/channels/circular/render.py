"""A circular to PDF with typst: in memory, on A4, accessible (PDF/UA-1).

Compiling holds a core for some tenths of a second: call it from a worker thread in an async service.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from services.notifications.channels.slip.compiler import compile_pdf
from services.notifications.channels.slip.coverage import breakable, printable
from services.notifications.domain.circular import paragraphs
from shared.dates import long_date

_TEMPLATE: Final = Path(__file__).with_name("circular.typ")


@dataclass(frozen=True)
class Letterhead:
    """Lines at the head (the first is the school's name, larger) and at the foot of each page."""

    head: tuple[str, ...]
    foot: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """What is printed. `addressees`: lines as they stand at the right, such as `Ai genitori`; `withdrawn`: what is said
    of one that was withdrawn, empty otherwise."""

    school: str
    number: str
    day: date
    subject: str
    text: str
    signed_by: str
    addressees: tuple[str, ...]
    withdrawn: str = ""


def render_circular(sheet: Sheet, letterhead: Letterhead) -> bytes:
    """The PDF, in Italian; the same circular gives the same bytes."""
    data = {
        "title": _text(f"Circolare n. {sheet.number} del {long_date(sheet.day, 'it')}: {sheet.subject}"),
        "school": _text(sheet.school),
        "head": _lines(letterhead.head),
        "foot": _lines(letterhead.foot) or [_text(sheet.school)],
        "number": _text(f"Circolare n. {sheet.number}"),
        "day": _text(long_date(sheet.day, "it")),
        "addressees": _lines(sheet.addressees),
        "about_label": "Oggetto:",
        "about": _text(sheet.subject),
        "paragraphs": [_lines(paragraph.split("\n")) for paragraph in paragraphs(sheet.text)],
        "signature": _lines(sheet.signed_by.split("\n")),
        "withdrawn": _text(sheet.withdrawn),
    }
    return compile_pdf(_TEMPLATE, "circular", data, sheet.day)


def _lines(lines: Sequence[str]) -> list[str]:
    return [_text(line) for line in lines]


def _text(text: str) -> str:
    return breakable(printable(text)[0])
