"""What generated requests do not come upon at the registry's acts about people: two guardians, and what becomes of them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from shared.ids import new_id
from tests.hostile.operations import Service

LINK = "POST /api/registry/guardians/{guardian}/children/{student}"
GUARDIAN = "POST /api/registry/guardians/{guardian}"
MAILBOXES = "POST /api/registry/mailboxes"
CODES = ("RSSMRA85T10A562S", "VRDCRL80A41H501V")


def provoke_people(registry: Service, desk: Mapping[str, str], families: Sequence[Mapping[str, Any]]) -> None:
    """`families`: answers to three enrolments of a pupil with a guardian, of whom the first two have `CODES`."""
    parents, child = [family["guardians"][0] for family in families], families[0]["student"]
    link = {"guardian": parents[0], "student": child}

    def act(label: str, path: Mapping[str, str], body: Any, status: int) -> None:
        kind = {} if body is None else {"body": body, "media_type": "application/json"}
        answered = registry.one(label, desk, path_parameters=dict(path), **kind)
        assert answered == status, f"{label} answered {answered} instead of {status}"

    because: dict[str, Any] = {"reason": "decreto 5/2026"}
    past = (date.today() - timedelta(days=3)).isoformat()
    later = (date.today() + timedelta(days=3)).isoformat()
    court = because | {"ground": "court_order"}
    act(f"{LINK}/restriction", link, court | {"on": past}, 422)
    act(f"{LINK}/restriction", link, court | {"on": later}, 200)
    act(f"{LINK}/restriction/lift", link, {"reason": " "}, 422)
    act(f"{LINK}/restriction/lift", link, because, 200)
    act(f"{LINK}/justification", link, {"active": True}, 200)
    act(f"{LINK}/justification", link, {"active": False}, 422)
    act(f"{LINK}/wrong-child", link, because | {"is_theirs": True}, 200)
    act(f"{LINK}/wrong-child", link, {"is_theirs": True, "reason": ""}, 422)
    act(f"{LINK}/end", link, court | {"on": past}, 422)
    act(f"{LINK}/end", link, court | {"on": later}, 200)
    act(f"{LINK}/restriction", link, court | {"on": later}, 409)
    act(f"{LINK}/return", link, None, 200)
    act(f"{LINK}/restriction", link, court | {"on": date.today().isoformat()}, 200)
    act(f"{LINK}/justification", link, because | {"active": False}, 200)
    act(f"{LINK}/justification", link, {"active": True}, 409)
    address = because | {"email": "nuova@example.org", "identity_check": "identity_document"}
    one = {"guardian": parents[0]}
    act(f"{GUARDIAN}/address", one, address, 200)
    act(f"{GUARDIAN}/address", one, address | {"email": "nessuno"}, 422)
    act(f"{GUARDIAN}/merge", one, because | {"merged": parents[1]}, 409)
    act(f"{GUARDIAN}/merge", one, because | {"merged": ""}, 422)
    act(f"{GUARDIAN}/merge", one, because | {"merged": new_id()}, 404)
    act(f"{GUARDIAN}/merge", one, because | {"merged": parents[0]}, 409)
    act(f"{GUARDIAN}/merge", one, because | {"merged": parents[2]}, 200)
    mailbox = {"mailboxes": [{"student": child, "address": f"{new_id()}@scuola.example"}]}
    assert registry.one(MAILBOXES, desk, body=mailbox, media_type="application/json") == 200
    for content, status in ((f"email;codice\n{new_id()}@scuola.example;1\n", 200), ("nome\nAnna\n", 422)):
        file = {"file": content}
        answered = registry.one(f"{MAILBOXES}/files", desk, body=file, media_type="multipart/form-data")
        assert answered == status
    for query, status in (("verdi", 200), ("v", 422)):
        assert registry.one("GET /api/registry/people", desk, query={"q": query}) == status
    for person in (child, parents[0]):
        assert (
            registry.one("GET /api/registry/people/{person}", desk, path_parameters={"person": person}) == 200
        )
