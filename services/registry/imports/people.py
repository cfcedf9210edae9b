"""What both formats check of a person."""

import datetime as dt

from services.registry.codes import agrees_with_birth_date
from services.registry.imports.cells import Cells


def read_codice_fiscale(cells: Cells, text: str, column: str, born: dt.date | None) -> str | None:
    """The codice fiscale, or None with a warning; a birth date that disagrees with it is a warning too."""
    fiscale = cells.soft(cells.codice_fiscale, text, column)
    if fiscale and born and not agrees_with_birth_date(fiscale, born):
        cells.problems.warning(cells.file, cells.line, column, "fiscale_birth_date")
    return fiscale
