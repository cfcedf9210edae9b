"""What generated requests do not come upon in the registry: links, records, mailboxes, policies."""

from collections.abc import Mapping

from shared.contracts.policy import PRESETS
from shared.ids import new_id
from tests.hostile.bodies import BODIES, NOTE
from tests.hostile.operations import Service
from tests.hostile.world import Family

_LINK = "POST /api/registry/guardians/{guardian}/children/{student}"
_MERGE = "POST /api/registry/guardians/{guardian}/merge"
_ADDRESS = "POST /api/registry/guardians/{guardian}/address"
_POLICY = "POST /api/registry/policy"
_BOXES = "POST /api/registry/mailboxes"
_ACTS = ("restriction", "restriction/lift", "wrong-child", "justification", "end")


def provoke_people(service: Service, desk: Mapping[str, str], family: Family, other: Family) -> None:
    """`other` is merged into `family`."""
    link = {"guardian": family.guardian, "student": family.student}
    service.say("GET /api/registry/people/{person}", desk, 200, person=family.student)
    case = service.operations["GET /api/registry/people"].Case(query={"q": "Genitore"})
    service.ask(case, desk)
    today = service.say("GET /api/registry/policy", desk, 200)["today"]
    shut, past = ({**BODIES[f"{_LINK}/restriction"], "on": day} for day in (today, "2020-01-01"))
    for act in ("restriction", "end"):
        service.say(f"{_LINK}/{act}", desk, 422, past, **link)
    for act in _ACTS:
        label = f"{_LINK}/{act}"
        service.say(label, desk, 200, BODIES[label], **link)
    service.say(f"{_LINK}/end", desk, 200, shut, **link)
    service.say(f"{_LINK}/restriction", desk, 409, shut, **link)
    service.say(f"{_LINK}/return", desk, 200, **link)
    service.say(f"{_ADDRESS}", desk, 200, BODIES[_ADDRESS], guardian=family.guardian)
    merging = {"merged": family.guardian, "reason": NOTE}
    service.say(_MERGE, desk, 409, merging, guardian=family.guardian)
    service.say(_MERGE, desk, 200, {"merged": other.guardian, "reason": NOTE}, guardian=family.guardian)
    gone = {"guardian": other.guardian, "student": other.student}
    for act in (*_ACTS, "return"):
        label = f"{_LINK}/{act}"
        service.say(label, desk, 404, BODIES.get(label), **gone)
    service.say(_ADDRESS, desk, 404, BODIES[_ADDRESS], guardian=other.guardian)


def provoke_queries(service: Service, desk: Mapping[str, str], code: str) -> None:
    label = "GET /api/registry/schools/{code}/classes"
    service.one(label, desk, path_parameters={"code": code}, params={"year": "2026/2027/2028"})


def provoke_no_access(service: Service, desk: Mapping[str, str], family: Family) -> None:
    """Whoever may not see a child's data does not justify for it."""
    link = {"guardian": family.guardian, "student": family.student}
    today = service.say("GET /api/registry/policy", desk, 200)["today"]
    shut = BODIES[f"{_LINK}/restriction"] | {"on": today}
    service.say(f"{_LINK}/restriction", desk, 200, shut, **link)
    service.say(f"{_LINK}/justification", desk, 409, {"active": True}, **link)
    service.say(f"{_LINK}/restriction/lift", desk, 200, {"reason": NOTE}, **link)


def provoke_mailboxes(service: Service, desk: Mapping[str, str], family: Family) -> None:
    known = {"mailboxes": [{"student": family.student, "address": "alunno@scuola.example"}]}
    key = {**desk, "Idempotency-Key": new_id()}
    service.say(_BOXES, key, 200, known)
    service.say(_BOXES, key, 422, {"mailboxes": [{"student": "nessuno", "address": "x@scuola.example"}]})
    for content, status in (("", 422), (f"{_GOOGLE}\nAnna,Rossi,anna@scuola.example,Active\n", 200)):
        got = service.one(f"{_BOXES}/files", desk, body={"file": content}, media_type="multipart/form-data")
        if got != status:
            service.wrong.setdefault(f"{_BOXES}/files", f"{status} was wanted, not {got}")


def provoke_policy(service: Service, ruler: Mapping[str, str]) -> None:
    """The password alone is not enough for staff any more, after this."""
    service.say("GET /api/registry/policy", ruler, 200)
    service.say(f"{_POLICY}/preview", ruler, 200, {"preset": "email"})
    service.say(_POLICY, ruler, 409, {"preset": "email", "reason": NOTE, "seen": 0})
    service.say(_POLICY, ruler, 422, {"preset": "email", "reason": NOTE, "in_force_from": "2020-01-01"})
    strict = PRESETS["paper"].model_dump(
        mode="json"
    )  # as a preset it would keep until when passwords suffice
    service.say(_POLICY, ruler, 200, {"policy": strict, "reason": NOTE})


_GOOGLE = "First Name [Required],Last Name [Required],Email Address [Required],Status [READ ONLY]"
