"""Lists that the desk sends by a page: shown what they would do first, carried out from what was shown, then.

Between the two steps nothing is stored: the page carries the rows along, in columns of our own and without any other.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from fastapi import Request

from services.registry.imports.problems import Problem as RowProblem
from services.registry.imports.problems import Refused
from services.registry.uploads import Uploads
from shared.web.errors import Problem
from shared.web.i18n import N_, current_language

NO_FILE = N_("Scelga un file.")
SHOWN = 100
"""Problems that a page shows; it says how many more there are."""


async def uploaded(request: Request) -> tuple[str, bytes] | None:
    """The file of a form, by name and content; None where none was chosen. Raises what `Uploads.place` raises."""
    uploads: Uploads = request.app.state.uploads
    try:
        async with uploads.received(request) as file:
            name = PurePath(file.filename or "").name
            return (name, await file.read()) if name else None
    except Problem as problem:
        if problem.slug != "invalid-fields":
            raise
        return None


def written(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A CSV of our own."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def told(problems: Sequence[RowProblem]) -> list[Mapping[str, object]]:
    """As a page shows them, in the reader's language."""
    language = "it" if current_language() == "it" else "en"
    return [
        {
            "line": p.line,
            "column": p.column,
            "severity": p.severity,
            "text": p.text("it" if language == "it" else "en"),
        }
        for p in problems[:SHOWN]
    ]


def unreadable(refused: Refused) -> str:
    return refused.text("it" if current_language() == "it" else "en")
