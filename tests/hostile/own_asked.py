"""What generated requests do not come upon in one's own access, in passkeys and in staff accounts."""

import time
from collections.abc import Mapping
from typing import Any

from shared.ids import new_id
from tests.hostile.bodies import BODIES, NOTE
from tests.hostile.operations import Service
from tests.integration.authenticator import Authenticator

_JSON = {"media_type": "application/json"}
_CONFIRM = "POST /api/identity/confirmations"
_KEYS = "POST /api/identity/passkeys"
_KEY = "DELETE /api/identity/passkeys/{passkey}"
_STAFF = "/api/identity/staff"
_PIN_FAILURES = 10


def provoke_own(
    service: Service, parent: Mapping[str, str], password: str, pin: str, desk: Mapping[str, str]
) -> None:
    """`parent`: a guardian with a PIN; `desk`: of a school that has none."""
    service.say("PUT /api/identity/language", parent, 204, {"language": "en"})
    service.say("PUT /api/identity/language", parent, 422, {"language": "xx"})
    change = "PUT /api/identity/pin"
    service.say(change, desk, 409, {"proof": password, "new": "580217"})
    service.say(change, parent, 403, {"proof": "sbagliata", "new": "580217"})
    service.say(change, parent, 204, {"proof": pin, "new": "580217"})
    confirming = {"purpose": "justification_service", "subject": "prova"}
    service.say(_CONFIRM, parent, 201, confirming | {"proof": "580217"})
    for number in range(_PIN_FAILURES + 1):
        status = 403 if number < _PIN_FAILURES - 1 else 409
        service.say(_CONFIRM, parent, status, confirming | {"proof": f"90{number:04}"})
    open_ones = service.say("GET /api/identity/sessions", parent, 200)
    for one in open_ones:
        if not one["this"]:
            service.say("DELETE /api/identity/sessions/{session}", parent, 204, session=one["session"])


def provoke_staff(service: Service, boss: Mapping[str, str]) -> None:
    """`boss`: the school's only administrator."""
    opening = {"roles": ["teacher"], "given_name": "Ada", "family_name": "Neri"}
    key = {"Idempotency-Key": new_id()}
    made = service.say(f"POST {_STAFF}", {**boss, **key}, 201, opening)
    service.say(f"POST {_STAFF}", {**boss, **key}, 409, opening)
    service.say(f"POST {_STAFF}", boss, 404, {"roles": ["teacher"], "person": "nessuno"})
    account = {"account": made["account"]}
    me = {"account": service.say("GET /api/identity/me", boss, 200)["account"]}
    service.say(f"GET {_STAFF}/{{account}}", boss, 200, **account)
    roles = f"PUT {_STAFF}/{{account}}/roles"
    service.say(roles, boss, 204, {"roles": ["teacher", "secretary"]}, **account)
    service.say(roles, boss, 409, {"roles": ["teacher"]}, **me)
    service.say(f"POST {_STAFF}/{{account}}/password", boss, 200, {}, **account)
    service.say("DELETE /api/identity/accounts/{account}/sessions", boss, 204, **account)
    service.say(f"POST {_STAFF}/{{account}}/closure", boss, 409, {"note": NOTE}, **me)
    service.say(f"POST {_STAFF}/{{account}}/closure", boss, 204, {"note": NOTE}, **account)
    service.say(f"POST {_STAFF}/{{account}}/password", boss, 409, {}, **account)


def provoke_passkeys(service: Service, staff: Mapping[str, str], password: str, site: str) -> dict[str, str]:
    """The session that was signed in with the passkey; the passkey is the only one that `staff` has."""
    phone = Authenticator(site)
    service.say(f"{_KEYS}/options", staff, 403, {"password": "sbagliata"})
    asked, cookie = _asked(service, f"{_KEYS}/options", staff, {"password": password})
    known = {**staff, "Cookie": f"{staff['Cookie']}; {cookie}"}
    answer = {"name": "telefono", "credential": phone.create(asked)}
    service.say(_KEYS, known, 201, answer)
    again, cookie = _asked(service, f"{_KEYS}/options", staff, {"password": password})
    phone.create(again)
    known["Cookie"] = f"{staff['Cookie']}; {cookie}"
    service.say(_KEYS, known, 409, {"name": "telefono", "credential": phone.create(again)})
    asked, cookie = _asked(service, "POST /api/identity/passkey-sessions/options", {}, None)
    case = service.operations["POST /api/identity/passkey-sessions"].Case(
        body={"credential": phone.get(asked)}, **_JSON
    )
    entered = service.ask(case, {"Cookie": cookie, "Origin": site})
    if entered.status_code != 201:
        service.wrong.setdefault("POST /api/identity/passkey-sessions", f"{entered.status_code}")
    cookies = "; ".join(value.partition(";")[0] for value in entered.headers.get("set-cookie", ()))
    return {"Cookie": cookies, "Origin": site}


def wait_for_passkeys_to_be_asked(service: Service, staff: Mapping[str, str]) -> None:
    """Until identity knows the policy by which the password of `staff` is not enough."""
    grant = "POST /api/identity/regenerations/{request}/grant"
    asked = {"path_parameters": {"request": new_id()}, "body": BODIES[grant], **_JSON}
    for _ in range(100):
        if service.one(grant, staff, **asked) == 403:
            return
        time.sleep(0.1)
    service.wrong[grant] = "the password alone is still enough"


def provoke_last_passkey(service: Service, staff: Mapping[str, str], status: int) -> None:
    (one,) = service.say("GET /api/identity/passkeys", staff, 200)
    service.say(_KEY, staff, status, passkey=one["passkey"])


def _asked(
    service: Service, label: str, who: Mapping[str, str], body: Mapping[str, Any] | None
) -> tuple[dict[str, Any], str]:
    """The question, and the cookie that it comes with."""
    parts = {"body": body, **_JSON} if body is not None else {}
    answer = service.ask(service.operations[label].Case(**parts), who)
    if answer.status_code != 200:
        service.wrong.setdefault(label, f"{answer.status_code}: {answer.text[:300]}")
    return dict(answer.json()["publicKey"]), answer.headers["set-cookie"][0].partition(";")[0]
