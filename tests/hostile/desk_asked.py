"""What generated requests do not come upon at the desk of notifications: campaigns, hand-overs, alerts, bounces."""

import time
from collections.abc import Mapping
from typing import Any

from shared.ids import new_id
from tests.hostile.bodies import NOTE
from tests.hostile.operations import Service

_CAMPAIGNS = "POST /api/notifications/campaigns"
_SLIP = "/api/notifications/deliveries/{delivery}/hand-over"
PLAN: dict[str, Any] = {"title": "Prova", "roles": ["guardian"], "opens": "2036-09-01T08:00:00Z"}


def provoke_campaigns(service: Service, desk: Mapping[str, str]) -> None:
    key = {**desk, "Idempotency-Key": new_id()}
    one = service.say(_CAMPAIGNS, key, 201, PLAN)["campaign"]
    service.say(_CAMPAIGNS, key, 409, PLAN | {"title": "Altra"})
    service.say(_CAMPAIGNS, desk, 422, PLAN | {"classes": ["nessuna"]})
    service.say(f"{_CAMPAIGNS}/preview", desk, 200, PLAN)
    service.say("GET /api/notifications/campaigns", desk, 200)
    service.say("GET /api/notifications/campaigns/{campaign}", desk, 200, campaign=one)
    for act, body in (("pause", {"reason": NOTE}), ("resume", None), ("cancel", {"reason": NOTE})):
        service.say(f"{_CAMPAIGNS}/{{campaign}}/{act}", desk, 200, body, campaign=one)
    for act, body in (("pause", {"reason": NOTE}), ("resume", None)):
        service.say(f"{_CAMPAIGNS}/{{campaign}}/{act}", desk, 409, body, campaign=one)


def provoke_ended(service: Service, desk: Mapping[str, str], campaign: str) -> None:
    """`campaign`: of this school, open, and everybody whom it covers has been sent theirs: it ends by itself."""
    for _ in range(150):
        follow = "GET /api/notifications/campaigns/{campaign}"
        if service.say(follow, desk, 200, campaign=campaign)["state"] == "completed":
            break
        time.sleep(0.1)
    service.say(f"{_CAMPAIGNS}/{{campaign}}/cancel", desk, 409, {"reason": NOTE}, campaign=campaign)


def provoke_resending(service: Service, desk: Mapping[str, str]) -> None:
    """`desk`: of a school where somebody has been sent a mail, and has not used it."""
    found = service.say("GET /api/notifications/deliveries", desk, 200)["deliveries"]
    asked = {"body": {"reason": "not_received"}, "media_type": "application/json"}
    resend = "POST /api/notifications/deliveries/{delivery}/resend"
    for each in found:
        service.one(resend, desk, path_parameters={"delivery": each["delivery"]}, **asked)


def provoke_queries(service: Service, desk: Mapping[str, str], class_id: str) -> None:
    """What a query may not ask."""
    wrong = (("classes/{class_id}/holders", "state"), ("circulars/{circular}/unread", "audience"))
    for path, name in wrong:
        label = f"GET /api/notifications/{path}"
        named = {n.name: class_id for n in service.operations[label].path_parameters}
        service.one(label, desk, path_parameters=named, params={name: "nessuno"})


def provoke_hand_overs(service: Service, desk: Mapping[str, str], class_id: str, delivery: str) -> None:
    """`delivery`: a printed slip that its holder has not been given."""
    of_class = "/api/notifications/classes/{class_id}/hand-overs"
    service.say(f"GET {of_class}", desk, 200, class_id=class_id)
    service.say(f"GET {_SLIP}", desk, 200, delivery=delivery)
    service.say(f"POST {_SLIP}/undo", desk, 409, {"reason": NOTE}, delivery=delivery)
    service.say(f"POST {_SLIP}", desk, 200, {"to": "holder"}, delivery=delivery)
    service.say(f"POST {_SLIP}", desk, 409, {"to": "delegate", "delegate": "Nonna"}, delivery=delivery)
    service.say(f"POST {_SLIP}/undo", desk, 200, {"reason": NOTE}, delivery=delivery)
    given = {"deliveries": [delivery], "to": "holder"}
    service.say(f"POST {of_class}", desk, 200, given, class_id=class_id)


def provoke_alerts(service: Service, desk: Mapping[str, str]) -> None:
    """Somebody signed in with a slip that nobody had been given."""
    found = service.say("GET /api/notifications/alerts", desk, 200)
    settle = "POST /api/notifications/alerts/{alert}/settlement"
    if not found:
        service.wrong[settle] = "there is no alert"
    for one in found[:1]:
        service.say(settle, desk, 204, {"note": NOTE}, alert=one["alert"])


def provoke_bounces(service: Service, key: str) -> None:
    mail = b"From: MAILER-DAEMON@elsewhere.example\r\nSubject: returned\r\n\r\nNot here.\r\n"
    case = service.operations["POST /api/notifications/bounces"].Case(
        body=mail, media_type="application/octet-stream"
    )
    for bearer, status in ((key, 200), ("wrong", 401)):
        answer = service.ask(case, {"Authorization": f"Bearer {bearer}"})
        if answer.status_code != status:
            service.wrong.setdefault(case.operation.label, f"{answer.status_code}: {answer.text[:300]}")
