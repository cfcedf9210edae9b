"""What generated requests do not come upon in circulars and in a school's own words: the good ones, and the repeated."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.notifications.domain.circular import circular_id, school_year
from shared.ids import new_id
from tests.hostile.operations import Service

_JSON = {"media_type": "application/json"}
_DAY = datetime.now(UTC).date()


def provoke_circulars(service: Service, desk: Mapping[str, str], school: str) -> None:
    """`desk`: the office of `school`, signed in."""
    number = f"9{new_id()[-6:]}"
    body: dict[str, Any] = {
        "number": number,
        "day": _DAY.isoformat(),
        "subject": "Prova",
        "text": "Prova.",
        "signed_by": "La dirigente",
        "audiences": ["public"],
    }
    publish = "POST /api/notifications/circulars"
    for wanted, status in ((body, 201), (body, 200), (body | {"subject": "Altra"}, 409)):
        assert service.one(publish, desk, body=wanted, **_JSON) == status
    one = {"circular": circular_id(school, school_year(_DAY), number)}
    nothing = {"circular": new_id()}
    at = "/api/notifications/circulars/{circular}"
    for label, status in ((f"GET {at}", 200), (f"POST {at}/read", 204), (f"GET {at}/unread", 200)):
        assert service.one(label, desk, path_parameters=one) == status
        assert service.one(label, desk, path_parameters=nothing) == 404
    for path, status in ((nothing, 404), (one, 204)):
        reason = {"reason": "data sbagliata"}
        asked = service.one(f"POST {at}/withdrawal", desk, path_parameters=path, body=reason, **_JSON)
        assert asked == status
    paper = {"head": ["Istituto di prova"], "foot": []}
    assert service.one("PUT /api/notifications/letterhead", desk, body=paper, **_JSON) == 204
    words = {"subject": None, "opening": "Gentile {nome}", "closing": None}
    for template, status in (("reminder", 204), ("advertisement", 404)):
        path = {"template": template, "language": "it"}
        label = "PUT /api/notifications/texts/{template}/{language}"
        assert service.one(label, desk, path_parameters=path, body=words, **_JSON) == status
