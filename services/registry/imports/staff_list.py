"""A school's list of staff to rows: `cognome;nome;email;ruolo;classi`, the classes apart by comma or space."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from services.registry.imports.cells import BadCell, Cells, read_email
from services.registry.imports.directory_export import door
from services.registry.imports.lines import Source
from services.registry.imports.problems import Problem, Problems
from services.registry.imports.table import Layout, Table
from shared.contracts.registry import StaffKind

_LAYOUT: Final = Layout(
    read=("cognome", "nome", "email", "ruolo", "classi"),
    required=frozenset({"cognome", "nome", "ruolo"}),
    aliases={
        "last name": "cognome",
        "first name": "nome",
        "indirizzo email": "email",
        "mail": "email",
        "kind": "ruolo",
        "profilo": "ruolo",
        "classe": "classi",
        "classes": "classi",
    },
)
KINDS: Final = {
    "docente": StaffKind.teacher,
    "insegnante": StaffKind.teacher,
    "teacher": StaffKind.teacher,
    "ata": StaffKind.ata,
    "collaboratore": StaffKind.ata,
    "collaboratorescolastico": StaffKind.ata,
    "tecnico": StaffKind.ata,
    "segreteria": StaffKind.secretary,
    "amministrativo": StaffKind.secretary,
    "secretary": StaffKind.secretary,
    "dirigente": StaffKind.principal,
    "dirigentescolastico": StaffKind.principal,
    "principal": StaffKind.principal,
}


class StaffRow(NamedTuple):
    """`doors`: classes as `directory_export.door` has them."""

    line: int
    family_name: str
    given_name: str
    email: str | None
    kind: StaffKind
    doors: tuple[str, ...]


class StaffList(NamedTuple):
    rows: tuple[StaffRow, ...]
    problems: tuple[Problem, ...]
    rows_read: int


def parse_staff(name: str, stream: Source) -> StaffList:
    """Raises `problems.Refused` where the file as a whole cannot be read."""
    problems = Problems()
    table = Table(name, stream, _LAYOUT, problems, cp1252_expected=True)
    cells = Cells(name, problems)
    rows = []
    for cells.line, row in table:
        try:
            rows.append(_row(cells, table.headers, row))
        except BadCell as bad:
            cells.error(bad)
    if not table.rows_read and not problems.errors:
        problems.warning(table.file, None, None, "no_rows")
    return StaffList(tuple(rows), problems.all(), table.rows_read)


def _row(cells: Cells, headers: Mapping[str, str], row: tuple[str, ...]) -> StaffRow:
    family, given, email, kind, classes = row
    named = cells.name(family, headers["cognome"]), cells.name(given, headers["nome"])
    cells.column = headers["ruolo"]
    known = KINDS.get(re.sub(r"[\W_]+", "", kind.casefold()))
    if known is None:
        raise BadCell("staff_kind")
    said = cells.words(classes, headers["classi"], 500)
    doors = tuple(dict.fromkeys(d for part in re.split(r"[,;|\s]+", said) if (d := door(part))))
    return StaffRow(cells.line, *named, read_staff_email(cells, email, headers["email"]), known, doors)


def read_staff_email(cells: Cells, text: str, column: str) -> str | None:
    cells.column = column
    try:
        return read_email(text.strip()) if text.strip() else None
    except BadCell:
        raise BadCell("staff_email") from None
