"""What generated requests do not come upon in the life of a credential: each outcome, and each that contradicts it."""

from collections.abc import Mapping

from tests.hostile.bodies import BODIES, NOTE
from tests.hostile.operations import Service
from tests.hostile.world import Family

_AT = "POST /api/identity/accounts/{account}"
_OWN = "POST /api/identity/regenerations"


def provoke_lives(
    service: Service, desk: Mapping[str, str], family: Family, parent: Mapping[str, str]
) -> None:
    """`desk`: of the family's school, with the right to decide; `parent`: of the family, signed in."""
    account = family.parent

    def at(what: str, status: int, of: str = account) -> dict[str, str]:
        label = f"{_AT}/{what}"
        return dict(service.say(label, desk, status, BODIES[label], account=of) or {})

    def on(request: str, what: str, status: int) -> None:
        label = f"POST /api/identity/regenerations/{{request}}/{what}"
        service.say(label, desk, status, BODIES[label], request=request)

    service.say("GET /api/identity/accounts/{account}", desk, 200, account=account)
    first = at("regenerations", 201)["request"]
    at("regenerations", 409)
    service.say(_OWN, parent, 409, {"motivation": NOTE})
    service.say("GET /api/identity/regenerations", desk, 200)
    on(first, "deny", 204)
    on(first, "deny", 409)
    service.say("POST /api/identity/loss", parent, 204, {"block": False})
    online = service.say(_OWN, parent, 201, {"motivation": NOTE})["request"]
    on(online, "grant", 200)
    on(online, "grant", 409)
    at("separation", 409)
    at("separation", 201, family.pupil)
    at("regeneration", 200, family.pupil)
    at("loss", 204)
    at("suspension", 204)
    at("regeneration", 409)
    at("reinstatement", 204)
    at("unlocking", 204)
    at("revocation", 204)
    for what in ("loss", "suspension", "reinstatement"):
        at(what, 409)
    service.say("DELETE /api/identity/accounts/{account}/sessions", desk, 204, account=family.pupil)
