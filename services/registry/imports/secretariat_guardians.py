"""The guardian's columns of the secretariat's CSV: one fact for each pupil's link, one person for each code (M1)."""

from collections.abc import Mapping

from services.registry.imports.cells import Cells
from services.registry.imports.facts import GuardianFact
from services.registry.imports.people import read_codice_fiscale
from services.registry.imports.secretariat_layout import GUARDIAN_FIELDS, RELATIONSHIPS, merged
from shared.contracts.registry import Relationship


class Guardians:
    """Reads guardians row by row and remembers each code's first row, which stands where later ones disagree."""

    def __init__(self, cells: Cells, headers: Mapping[str, str], source: str) -> None:
        self._cells = cells
        self._headers = headers
        self._source = source
        self._first: dict[str, tuple[GuardianFact, int]] = {}

    def read(self, row: tuple[str, ...], pupil_fiscal: str | None) -> GuardianFact | None:
        """The row's guardian; None where its columns are empty. `BadCell` where it must stay out."""
        code, family, given, fiscal, role, email, phone, language, access, justifies = row
        if not any(cell.strip() for cell in (code, family, given, fiscal, email)):
            return None
        cells, headers = self._cells, self._headers
        checked = read_codice_fiscale(cells, fiscal, headers["codice_fiscale_genitore"], None)
        if checked and checked == pupil_fiscal:
            column = headers["codice_fiscale_genitore"]
            cells.problems.warning(cells.file, cells.line, column, "fiscale_of_pupil")
            checked = None
        fact = GuardianFact(
            self._source,
            cells.identifier(code, headers["codice_genitore"]),
            cells.name(family, headers["cognome_genitore"]),
            cells.name(given, headers["nome_genitore"]),
            checked,
            self._relationship(role),
            cells.soft(cells.email, email, headers["email_iscrizione_genitore"]),
            cells.soft(cells.phone, phone, headers["telefono_genitore"]),
            cells.soft(cells.language, language, headers["lingua_genitore"]),
            cells.yes_no(access, headers["accesso_dati"]),
            cells.yes_no(justifies, headers["giustifica_online"]),
        )
        return self._one_person(fact)

    def line_of(self, guardian: GuardianFact) -> int:
        """The line that first named the guardian."""
        return self._first[guardian.external_id][1]

    def _one_person(self, fact: GuardianFact) -> GuardianFact:
        """What is the person's is the same under every pupil; the relationship and the rights are the link's."""
        first, line = self._first.setdefault(fact.external_id, (fact, self._cells.line))
        if first is fact:
            return fact
        column, person = merged(first, fact, GUARDIAN_FIELDS)
        if person is None:
            cells = self._cells
            shown = self._headers[column] if column else None
            cells.problems.warning(cells.file, cells.line, shown, "guardian_contradiction", line=str(line))
            person = first
        self._first[fact.external_id] = (person, line)
        return person._replace(
            relationship=fact.relationship,
            data_access=fact.data_access,
            justifies_online=fact.justifies_online,
        )

    def _relationship(self, text: str) -> Relationship:
        value = text.strip().casefold()
        if value not in RELATIONSHIPS:
            cells = self._cells
            column = self._headers["ruolo_genitore"]
            cells.problems.warning(cells.file, cells.line, column, "relationship_unknown")
        return RELATIONSHIPS.get(value, Relationship.other)
