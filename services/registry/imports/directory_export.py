"""The export of a school's directory (Google Workspace, Microsoft 365) to rows: which mailboxes of pupils are there (E8).

The columns are those of the two products' own exports, and of a list made by hand. A password column is never read.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from services.registry.codes import InvalidCode, check_codice_fiscale
from services.registry.imports.cells import BadCell, Cells, read_email
from services.registry.imports.lines import Source
from services.registry.imports.problems import Problem, Problems, Refused
from services.registry.imports.table import Layout, Table

COLUMNS: Final = (
    "email",
    "mail",
    "codice",
    "codice_fiscale",
    "cognome",
    "nome",
    "classe",
    "stato",
    "attivo",
    "bloccato",
)
_LAYOUT: Final = Layout(
    read=COLUMNS,
    required=frozenset(),
    known=frozenset(
        {
            "display name",
            "displayName",
            "title",
            "object id",
            "id",
            "recovery email",
            "home secondary email",
            "work secondary email",
            "recovery phone",
            "work phone",
            "home phone",
            "mobile phone",
            "work address",
            "home address",
            "employee type",
            "employee title",
            "manager email",
            "cost center",
            "building id",
            "floor name",
            "floor section",
            "last sign in",
            "email usage",
            "drive usage",
            "total storage",
            "change password at next sign-in",
            "advanced protection program enrollment",
            "licenses",
            "usage location",
            "proxy addresses",
            "userType",
            "when created",
            "city",
            "country/region",
            "office",
        }
    ),
    aliases={
        "email address": "email",
        "indirizzo email": "email",
        "casella": "email",
        "user principal name": "email",
        "userPrincipalName": "email",
        "employee id": "codice",
        "employeeId": "codice",
        "codice_alunno": "codice",
        "external id": "codice",
        "external_id": "codice",
        "cf": "codice_fiscale",
        "codice_fiscale_alunno": "codice_fiscale",
        "last name": "cognome",
        "surname": "cognome",
        "cognome_alunno": "cognome",
        "first name": "nome",
        "givenName": "nome",
        "nome_alunno": "nome",
        "org unit path": "classe",
        "department": "classe",
        "status": "stato",
        "account enabled": "attivo",
        "accountEnabled": "attivo",
        "block credential": "bloccato",
    },
)
_CLASS_WORDS: Final = ("classe ", "class ")


class DirectoryRow(NamedTuple):
    """One mailbox. `klass`: as the school writes it on the door, `1A`; of a path its last part."""

    line: int
    email: str
    external_id: str | None
    codice_fiscale: str | None
    family_name: str
    given_name: str
    klass: str


class DirectoryExport(NamedTuple):
    rows: tuple[DirectoryRow, ...]
    problems: tuple[Problem, ...]
    rows_read: int


def parse_directory(name: str, stream: Source) -> DirectoryExport:
    """Raises `problems.Refused` where the file as a whole cannot be read."""
    problems = Problems()
    table = Table(name, stream, _LAYOUT, problems, cp1252_expected=True)
    cells = Cells(name, problems)
    rows = []
    addressed = False
    for cells.line, row in table:
        addressed = addressed or bool(row[0].strip() or row[1].strip())
        try:
            read = _row(cells, table.headers, row)
        except BadCell as bad:
            cells.error(bad)
            continue
        if read is not None:
            rows.append(read)
    if table.rows_read and not addressed:
        raise Refused("columns_missing", file=name, columns="email")
    if not table.rows_read and not problems.errors:
        problems.warning(table.file, None, None, "no_rows")
    return DirectoryExport(tuple(rows), problems.all(), table.rows_read)


def _row(cells: Cells, headers: Mapping[str, str], row: tuple[str, ...]) -> DirectoryRow | None:
    """None of a mailbox that is suspended: it does not receive."""
    upn, mail, code, fiscal, family, given, klass, status, enabled, blocked = row
    if _is_off(status, enabled, blocked):
        cells.problems.warning(cells.file, cells.line, None, "mailbox_suspended")
        return None
    cells.column = headers["mail" if mail.strip() else "email"]
    try:
        address = read_email((mail or upn).strip())
    except BadCell:
        raise BadCell("mailbox_address") from None
    return DirectoryRow(
        cells.line,
        address,
        cells.optional_identifier(code, headers["codice"]) or None,
        _codice_fiscale(cells, fiscal, headers["codice_fiscale"]),
        cells.words(family, headers["cognome"]),
        cells.words(given, headers["nome"]),
        door(cells.words(klass.strip().rstrip("/").rpartition("/")[2], headers["classe"])),
    )


def _is_off(status: str, enabled: str, blocked: str) -> bool:
    return (
        status.strip().casefold() in ("suspended", "sospeso", "sospesa", "archived", "archiviato")
        or enabled.strip().casefold() in ("false", "no", "0")
        or blocked.strip().casefold() in ("true", "si", "sì", "1")
    )


def _codice_fiscale(cells: Cells, text: str, column: str) -> str | None:
    cells.column = column
    value = text.strip()
    try:
        return check_codice_fiscale(value) if value else None
    except InvalidCode:
        raise BadCell("mailbox_codice_fiscale") from None


def door(text: str) -> str:
    """A class as it is compared: `1ª A`, `1^a` and `Classe 1A` are `1a`."""
    plain = text.strip().casefold()
    for word in _CLASS_WORDS:
        plain = plain.removeprefix(word)
    return "".join(c for c in plain if c.isascii() and c.isalnum())
