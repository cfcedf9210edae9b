"""Slips to PDF with typst: in memory, accessible (PDF/UA-1), one compile a batch.

Compiling holds a core for a second or so: call it from a worker thread in an async service.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, NamedTuple

import typst

from services.notifications.channels.people import SchoolHead
from services.notifications.channels.slip.compiler import compile_pdf
from services.notifications.channels.slip.coverage import printable
from services.notifications.channels.slip.model import Notice, Slip, SlipPdf
from services.notifications.channels.slip.sheet import Json, LeftOut, sheet

# Millimetres from the top of the sheet. `over` is the fold that lays the last panel on the secret, so what is at
# y inside is covered by what is at 2 * over - y: the pattern, with 2 mm to spare for a careless fold.
OUTSIDE, INSIDE, OVER = 39, 125, 211
SECRET, SECRET_HEIGHT = 169, 38
PATTERN = 2 * OVER - (SECRET + SECRET_HEIGHT) - 2
PATTERN_HEIGHT = SECRET_HEIGHT + 4
_LAYOUT: Final[dict[str, int]] = {
    "outside": OUTSIDE,
    "inside": INSIDE,
    "over": OVER,
    "secret": SECRET,
    "secret_height": SECRET_HEIGHT,
    "pattern": PATTERN,
    "pattern_height": PATTERN_HEIGHT,
}
_CAPTIONS: Final = {
    "forward": "1 · Piega in avanti: il motivo stampato copre le credenziali",
    "back": "2 · Piega all'indietro: nome e classe restano fuori; chiudi con un punto metallico",
}


class Sheet(NamedTuple):
    """What the template prints for one slip."""

    slip_id: str
    data: dict[str, Json]


def batch_of(sheets: Sequence[dict[str, Json]], school: SchoolHead) -> dict[str, object]:
    """What the template is given for these sheets (see `sheet`)."""
    languages = {str(one["lang"]) for one in sheets}
    return {
        "title": f"Credenziali di accesso al registro elettronico · {printable(school.name)[0]}",
        "school": printable(school.name)[0],
        # One family's own sheet is a document in its language; a class in several is the school's, in Italian.
        "lang": languages.pop() if len(languages) == 1 else "it",
        "layout": _LAYOUT,
        "captions": _CAPTIONS,
        "slips": list(sheets),
    }


def _compile_slips(sheets: Sequence[Sheet], school: SchoolHead, today: date) -> bytes:
    return compile_pdf("slip.typ", "batch", batch_of([one.data for one in sheets], school), today)


def _settable(sheets: Sequence[Sheet], works: Callable[[Sequence[Sheet]], bool]) -> list[Sheet]:
    """Those of `sheets` that can be set, found by halving: one bad slip costs 2 log2(n) compiles, not n."""
    if not sheets or works(sheets):
        return list(sheets)
    if len(sheets) == 1:
        return []
    middle = len(sheets) // 2
    return _settable(sheets[:middle], works) + _settable(sheets[middle:], works)


def render_slips(slips: Sequence[Slip], *, school: SchoolHead, today: date) -> SlipPdf:
    """The PDF of `slips`, one sheet each, in their order; those that cannot be printed are left out, with why.

    Raises `ValueError` when two slips have the same id, for a page would then be taken for another.
    """
    if len({slip.slip_id for slip in slips}) != len(slips):
        raise ValueError("two slips with one id")
    sheets: list[Sheet] = []
    warnings: list[Notice] = []
    left_out: list[Notice] = []
    for slip in slips:
        try:
            data, notices = sheet(slip, school, today)
        except LeftOut as refusal:
            left_out.append(refusal.notice)
            continue
        sheets.append(Sheet(slip.slip_id, data))
        warnings.extend(notices)
    pdf: bytes | None = None
    if sheets:
        try:
            pdf = _compile_slips(sheets, school, today)
        except typst.TypstError:
            good = _settable(sheets, lambda some: _sets(some, school, today))
            left_out.extend(Notice(one.slip_id, "not_set") for one in sheets if one not in good)
            sheets = good
            pdf = _compile_slips(sheets, school, today) if sheets else None
    printed = tuple(one.slip_id for one in sheets)
    return SlipPdf(pdf, printed, tuple(w for w in warnings if w.slip_id in printed), tuple(left_out))


def _sets(sheets: Sequence[Sheet], school: SchoolHead, today: date) -> bool:
    try:
        _compile_slips(sheets, school, today)
    except typst.TypstError:
        return False
    return True
