"""Addresses that no link of ours has: refused before any route sees them, for databases and file systems take them ill."""

import re
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from shared.web.errors import DETAILS, TITLES, Problem
from shared.web.i18n import N_

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_QUERY = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|%(?:0[0-8bcef]|1[0-9a-f]|7f)", re.IGNORECASE
)


def refuse_odd_address(scope: Scope) -> None:
    """Raise a 404 problem for a path with a control character, or that is no UTF-8; a 400 problem for a query with a
    control character other than tab and line ends, which a form may send.

    Servers decode the path leniently: only the bytes as they were sent tell what is no UTF-8.
    """
    if not _is_text(scope["path"], scope.get("raw_path")):
        raise Problem(404, "not-found", TITLES[404], DETAILS[404])
    if _CONTROL_IN_QUERY.search(scope.get("query_string", b"")):
        raise Problem(
            400, "control-character", TITLES[400], N_("La richiesta contiene caratteri che nessun testo ha.")
        )


def _is_text(path: str, raw: bytes | None) -> bool:
    if _CONTROL.search(path):
        return False
    try:
        decoded = unquote_to_bytes(raw).decode() if raw is not None else path
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(decoded)
