"""The columns of the secretariat's CSV (S3, M11), and how another product's columns are mapped onto them."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from services.registry.imports.cells import BadCell, Cells
from services.registry.imports.facts import (
    EnrolmentFact,
    GuardianFact,
    PupilFact,
)
from services.registry.imports.problems import Refused
from services.registry.imports.table import Layout, is_secret
from shared.contracts.registry import EndReason, EnrolmentKind, Relationship

T = TypeVar("T")
F = TypeVar("F", PupilFact, EnrolmentFact, GuardianFact)

COLUMNS: Final = (
    "codice_meccanografico",
    "anno_scolastico",
    "classe",
    "sezione",
    "indirizzo",
    "codice_alunno",
    "cognome_alunno",
    "nome_alunno",
    "data_nascita_alunno",
    "codice_fiscale_alunno",
    "email_istituzionale_alunno",
    "tipo_iscrizione",
    "data_inizio",
    "data_fine",
    "motivo_fine",
    "codice_genitore",
    "cognome_genitore",
    "nome_genitore",
    "codice_fiscale_genitore",
    "ruolo_genitore",
    "email_iscrizione_genitore",
    "telefono_genitore",
    "lingua_genitore",
    "accesso_dati",
    "giustifica_online",
)
GUARDIAN_AT: Final = COLUMNS.index("codice_genitore")
REQUIRED: Final = frozenset(
    {
        "codice_meccanografico",
        "anno_scolastico",
        "classe",
        "sezione",
        "codice_alunno",
        "cognome_alunno",
        "nome_alunno",
    }
)
KINDS: Final = {
    "prima": EnrolmentKind.first_year,
    "nuova": EnrolmentKind.new_to_the_school,
    "prosegue": EnrolmentKind.continuing,
}
END_REASONS: Final = {
    "trasferimento": EndReason.transfer,
    "ritiro": EndReason.withdrawal,
    "diploma": EndReason.diploma,
    "altro": EndReason.other,
}
RELATIONSHIPS: Final = {
    "padre": Relationship.father,
    "madre": Relationship.mother,
    "tutore": Relationship.legal_guardian,
    "affidatario": Relationship.foster,
    "nonno": Relationship.grandfather,
    "nonna": Relationship.grandmother,
    "zio": Relationship.uncle,
    "zia": Relationship.aunt,
    "fratello": Relationship.brother,
    "sorella": Relationship.sister,
    "altro": Relationship.other,
}

# What two rows of one pupil, or of one guardian, may not contradict: the fact's field and its column.
PUPIL_FIELDS: Final = {
    "family_name": "cognome_alunno",
    "given_name": "nome_alunno",
    "birth_date": "data_nascita_alunno",
    "codice_fiscale": "codice_fiscale_alunno",
    "institutional_email": "email_istituzionale_alunno",
}
ENROLMENT_FIELDS: Final = {
    "class_external_id": "classe",
    "kind": "tipo_iscrizione",
    "starts": "data_inizio",
    "ends": "data_fine",
    "end_reason": "motivo_fine",
}
GUARDIAN_FIELDS: Final = {
    "family_name": "cognome_genitore",
    "given_name": "nome_genitore",
    "codice_fiscale": "codice_fiscale_genitore",
    "email": "email_iscrizione_genitore",
    "phone": "telefono_genitore",
    "language": "lingua_genitore",
}


def layout_for(mapping: Mapping[str, str] | None) -> Layout:
    """The layout, with `mapping` from our column to the header of the file. Raises `Refused` for a mapping that names
    an unknown column or leads to passwords."""
    aliases: dict[str, str] = {}
    for column, header in (mapping or {}).items():
        if column not in COLUMNS:
            raise Refused("mapping_unknown", column=column)
        if is_secret(header):
            raise Refused("mapping_secret")
        aliases[header] = column
    replaced = frozenset(aliases.values())
    return Layout(COLUMNS, REQUIRED | replaced, aliases=aliases, renamed=replaced)


def listed(cells: Cells, allowed: Mapping[str, T], text: str, column: str) -> T | None:
    """A value of a closed list, in any case; None where empty, `BadCell` where it is none of them."""
    value = text.strip().casefold()
    if not value:
        return None
    if value not in allowed:
        cells.column = column
        raise BadCell("not_listed", allowed=", ".join(allowed))
    return allowed[value]


def merged(first: F, later: F, columns: Mapping[str, str]) -> tuple[str | None, F | None]:
    """`first` with what only `later` has; or the column in which the two contradict each other, and None."""
    filled: dict[str, Any] = {}
    for name, column in columns.items():
        before, after = getattr(first, name), getattr(later, name)
        if before is None and after is not None:
            filled[name] = after
        elif after is not None and before != after:
            return column, None
    return None, first._replace(**filled) if filled else first
