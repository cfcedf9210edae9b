"""A body that each operation takes, so that what is wrong is what the path names."""

from typing import Any, Final

NOTE: Final = "per una prova"
CHECK: Final = "identity_document"
_ACCOUNT: Final = "POST /api/identity/accounts/{account}"
_REQUEST: Final = "POST /api/identity/regenerations/{request}"
_STAFF: Final = "/api/identity/staff/{account}"
_LINK: Final = "POST /api/registry/guardians/{guardian}/children/{student}"
_CAMPAIGN: Final = "POST /api/notifications/campaigns/{campaign}"
_SLIP: Final = "POST /api/notifications/deliveries/{delivery}/hand-over"

BODIES: Final[dict[str, dict[str, Any]]] = {
    f"{_ACCOUNT}/regenerations": {"motivation": NOTE},
    f"{_ACCOUNT}/regeneration": {"motivation": NOTE, "identity_check": CHECK},
    f"{_ACCOUNT}/separation": {"identity_check": CHECK},
    f"{_ACCOUNT}/loss": {"block": False},
    f"{_ACCOUNT}/suspension": {"because": "barred", "note": NOTE},
    f"{_ACCOUNT}/reinstatement": {"note": NOTE, "identity_check": CHECK},
    f"{_ACCOUNT}/revocation": {"note": NOTE},
    f"{_ACCOUNT}/unlocking": {"identity_check": CHECK},
    f"{_REQUEST}/grant": {"reason": NOTE, "identity_check": CHECK},
    f"{_REQUEST}/deny": {"reason": NOTE},
    f"PUT {_STAFF}/roles": {"roles": ["secretary"]},
    f"POST {_STAFF}/password": {},
    f"POST {_STAFF}/closure": {"note": NOTE},
    f"{_LINK}/restriction": {"reason": NOTE, "on": "2036-10-01", "ground": "court_order"},
    f"{_LINK}/restriction/lift": {"reason": NOTE},
    f"{_LINK}/end": {"reason": NOTE, "on": "2036-10-01", "ground": "court_order"},
    f"{_LINK}/wrong-child": {"reason": NOTE, "is_theirs": True},
    f"{_LINK}/justification": {"active": True},
    "POST /api/registry/guardians/{guardian}/address": {
        "email": "nuova@famiglia.example",
        "identity_check": CHECK,
        "reason": NOTE,
    },
    "POST /api/registry/guardians/{guardian}/merge": {"merged": "nessuno", "reason": NOTE},
    f"{_CAMPAIGN}/pause": {"reason": NOTE},
    f"{_CAMPAIGN}/cancel": {"reason": NOTE},
    "POST /api/notifications/circulars/{circular}/withdrawal": {"reason": NOTE},
    "PUT /api/notifications/texts/{template}/{language}": {"opening": "Gentile {nome}"},
    "POST /api/notifications/classes/{class_id}/hand-overs": {"deliveries": ["nessuno"], "to": "holder"},
    _SLIP: {"to": "holder"},
    f"{_SLIP}/undo": {"reason": NOTE},
    "POST /api/notifications/alerts/{alert}/settlement": {"note": NOTE},
}
