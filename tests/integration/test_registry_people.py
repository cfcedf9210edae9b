"""What the desk and the families do about people, over HTTP on a real database (M1, M3, M4, M9, E3, E8, P8)."""

import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.registry.api_keys import Scope
from services.registry.operations import Registry
from services.registry.projections import project
from services.registry.web import build_web
from shared.contracts.policy import PAPER, GuardiansOfAge
from shared.contracts.registry import (
    ContactAddressCorrected,
    GuardianLinked,
    GuardianshipEnded,
    GuardiansMerged,
    InstitutionalMailboxActivated,
    JustificationServiceActivated,
    StaffMemberAppointed,
    TeacherAssigned,
)
from shared.eventstore.rebuild import Rebuild
from shared.web.confirmation import ConfirmationsUnavailable
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    events_of,
    kek_file,
    registry,
    registry_settings,
    with_school,
)
from tests.integration.test_registry_http import SITE, Signed, body, session, signed

__all__ = ["kek_file", "registry", "registry_settings", "signed"]
DESK = "/registro/sportello"
FROM_TODAY = {"ground": "court_order", "reason": "decreto 5/2026"}
GUARDIANS = [
    {"id": "9", "family_name": "Verdi", "given_name": "Carla", "email": "casa@example.org"},
    {"id": "8", "family_name": "Verdi", "given_name": "Ugo", "email": "casa@example.org"},
]


class Confirmer:
    """Identity, as far as it is asked here: each code stands for one purpose and subject, once."""

    def __init__(self) -> None:
        self.good: set[tuple[str, str]] = set()
        self.away = False

    async def redeem(self, token_hash: bytes, code: str, purpose: str, subject: str) -> bool:
        if self.away:
            raise ConfirmationsUnavailable
        asked = (purpose, subject)
        done = asked in self.good
        self.good.discard(asked)
        return done


@pytest.fixture
def confirmer() -> Confirmer:
    return Confirmer()


@pytest.fixture
async def site(registry: Registry, signed: Signed, confirmer: Confirmer) -> AsyncIterator[httpx.AsyncClient]:
    app = build_web(registry, signed)
    app.state.web = replace(app.state.web, confirmer=confirmer)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE) as client:
        yield client


class School:
    """A school with two sisters and their parents, and whoever acts."""

    def __init__(self, site: httpx.AsyncClient, registry: Registry, signed: Signed) -> None:
        self.site, self.registry, self.signed = site, registry, signed
        self.desk = self.session("s1", "secretary")

    def session(self, person: str, *roles: Any, school: str = SCHOOL, strong: bool = True) -> dict[str, str]:
        token = self.signed.sign_in(person, *roles, school=school)
        found = list(self.signed.principals)[-1]
        self.signed.principals[found] = replace(self.signed.principals[found], strong=strong)
        return session(token)

    async def enrol(self, pupil: str = "77", name: str = "Anna", **changes: Any) -> dict[str, Any]:
        born = changes.pop("born", "2014-02-03")
        said = {"id": pupil, "family_name": "Verdi", "given_name": name, "birth_date": born}
        sent = body(pupil=said, guardians=GUARDIANS, **changes) if "guardians" not in changes else None
        sent = sent or body(pupil=said, **changes)
        key = await self.registry.add_api_key(SCHOOL, f"k{time.monotonic_ns()}")
        headers = {"Authorization": f"Bearer {key.secret}"}
        answer = await self.site.post("/api/registry/enrolments", json=sent, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def act(self, guardian: str, student: str, act: str, **said: Any) -> httpx.Response:
        path = f"/api/registry/guardians/{guardian}/children/{student}/{act}"
        return await self.site.post(path, json=said or None, headers=self.desk)

    async def children(self, guardian: str) -> dict[str, dict[str, Any]]:
        answer = await self.site.get("/api/registry/children", headers=self.session(guardian, "guardian"))
        assert answer.status_code == 200, answer.text
        return {child["student"]: child for child in answer.json()}

    async def home(self, person: str, role: str = "guardian", query: str = "") -> str:
        answer = await self.site.get(f"/registro/{query}", headers=self.session(person, role))
        assert answer.status_code == 200
        return answer.text


@pytest.fixture
async def school(site: httpx.AsyncClient, registry: Registry, signed: Signed) -> School:
    return School(site, registry, signed)


def today(registry: Registry, days: int = 0) -> str:
    return (registry.today + timedelta(days=days)).isoformat()


@pytest.mark.requirement("M1", part="a second child")
@pytest.mark.requirement("M2", part="two guardians, one mailbox")
async def test_one_person_for_two_children_and_two_for_one_mailbox(
    school: School, registry: Registry
) -> None:
    anna, sara = await school.enrol(), await school.enrol("78", "Sara")
    assert anna["guardians"] == sara["guardians"]
    assert len(set(anna["guardians"])) == 2
    assert set(await school.children(anna["guardians"][0])) == {anna["student"], sara["student"]}
    linked = [e for e in await events_of(registry) if isinstance(e, GuardianLinked)]
    assert len(linked) == 4
    for event in linked:
        assert event.details.value is not None
        assert event.details.value.email == "casa@example.org"


@pytest.mark.requirement("M3", part="access ends at once, and for nothing else")
async def test_a_restriction_shuts_one_child_to_one_guardian(school: School, registry: Registry) -> None:
    anna, sara = await school.enrol(), await school.enrol("78", "Sara")
    (carla, ugo), child, sister = anna["guardians"], anna["student"], sara["student"]
    said = FROM_TODAY | {"on": today(registry)}
    began = time.monotonic()
    answer = await school.act(ugo, child, "restriction", **said)
    assert (answer.status_code, answer.json()) == (200, {"changed": True}), answer.text
    theirs = await school.children(ugo)
    assert time.monotonic() - began < 5
    assert theirs[child]["closed"] == "restricted"
    assert theirs[child]["name"] is None
    assert theirs[sister]["closed"] is None
    assert (await school.children(carla))[child]["closed"] is None
    page = await school.home(ugo)
    assert "Accesso ai dati non consentito" in page
    assert "Sara Verdi" in page
    assert "Anna" not in page
    # Said again, by the desk and by a system that knows nothing of it.
    again = await school.act(ugo, child, "restriction", **said)
    assert again.json() == {"changed": False}
    back = [GUARDIANS[0], GUARDIANS[1] | {"data_access": True, "justifies_online": True}]
    await school.enrol(guardians=back)
    assert (await school.children(ugo))[child]["closed"] == "restricted"
    assert not (await school.children(ugo))[child]["may_justify"]
    lifted = await school.act(ugo, child, "restriction/lift", reason="decreto revocato")
    assert lifted.json() == {"changed": True}
    assert (await school.children(ugo))[child]["closed"] is None


async def test_a_restriction_of_a_later_day_holds_from_that_day(school: School, registry: Registry) -> None:
    anna = await school.enrol()
    _, ugo = anna["guardians"]
    answer = await school.act(ugo, anna["student"], "restriction", **FROM_TODAY, on=today(registry, 1))
    assert answer.json() == {"changed": True}
    assert (await school.children(ugo))[anna["student"]]["closed"] is None
    clock = registry.store.clock
    registry.store.clock = lambda: clock() + timedelta(days=1)
    assert (await school.children(ugo))[anna["student"]]["closed"] == "restricted"


async def test_what_is_ended_comes_back_only_by_the_desk(school: School, registry: Registry) -> None:
    anna = await school.enrol()
    _, ugo = anna["guardians"]
    ended = await school.act(ugo, anna["student"], "end", **FROM_TODAY, on=today(registry))
    assert ended.json() == {"changed": True}
    assert await school.children(ugo) == {}
    assert "Nessun alunno risulta collegato a lei" in await school.home(ugo)
    again = await school.enrol()
    assert [w["code"] for w in again["warnings"]] == ["guardianship_ended"]
    assert await school.children(ugo) == {}
    assert (await school.act(ugo, anna["student"], "return")).json() == {"changed": True}
    assert (await school.children(ugo))[anna["student"]]["closed"] is None


REFUSED: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("restriction", FROM_TODAY | {"on": "2020-01-01"}, 422, "date-is-past"),
    ("restriction", {"on": "2999-01-01", "ground": "court_order"}, 422, "invalid-fields"),
    ("restriction", FROM_TODAY | {"on": "2999-01-01", "ground": "whim"}, 422, "invalid-fields"),
    ("restriction", FROM_TODAY | {"on": "2999-01-01", "reason": "  "}, 422, "reason-missing"),
    ("restriction", FROM_TODAY | {"on": "2999-01-01", "reason": "a\x00b"}, 422, "reason-unusable"),
    ("end", FROM_TODAY | {"on": "2020-01-01"}, 422, "date-is-past"),
    ("end", FROM_TODAY | {"on": "2999-01-01", "ground": "merged"}, 422, "choice-unusable"),
)


async def test_refusals_say_what_to_do(school: School) -> None:
    anna = await school.enrol()
    for act, said, status, code in REFUSED:
        answer = await school.act(anna["guardians"][0], anna["student"], act, **said)
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1].rsplit(":", 1)[-1]) == (
            status,
            code,
        ), answer.text


@pytest.mark.requirement("M9", part="reported, and decided")
async def test_this_is_not_my_child(school: School, registry: Registry) -> None:
    anna = await school.enrol()
    (carla, ugo), child = anna["guardians"], anna["student"]
    path, headers = f"/registro/figli/{child}/non-e-mio-figlio", school.session(ugo, "guardian")
    page = await school.site.get(path, headers=headers)
    assert "Da subito lei non vede più i dati di questo alunno." in page.text
    sent = await school.site.post(path, data={"motivo": "mai vista"}, headers=headers)
    assert sent.headers["location"] == "/registro/?fatto=segnalazione"
    assert (await school.children(ugo))[child]["closed"] == "reported"
    assert (await school.children(carla))[child]["closed"] is None
    waiting = await school.site.get(f"{DESK}/segnalazioni", headers=school.desk)
    assert "mai vista" in waiting.text
    assert (await school.site.get(path, headers=headers)).status_code == 404
    right = await school.act(ugo, child, "wrong-child", is_theirs=True, reason="stato di famiglia")
    assert right.json() == {"changed": True}
    assert (await school.children(ugo))[child]["closed"] is None
    await school.site.post(path, data={}, headers=headers)
    wrong = f"{DESK}/persone/{ugo}/figli/{child}/legame-sbagliato"
    unsaid = await school.site.post(wrong, data={"motivo": ""}, headers=school.desk)
    assert unsaid.status_code == 422
    assert "Scriva il motivo" in unsaid.text
    done = await school.site.post(
        wrong, data={"motivo": "omonimo", "da": "segnalazioni"}, headers=school.desk
    )
    assert done.headers["location"] == f"{DESK}/segnalazioni?fatto=legame-sbagliato"
    assert await school.children(ugo) == {}
    ended = [e for e in await events_of(registry) if isinstance(e, GuardianshipEnded)]
    assert [e.ground.value for e in ended] == ["wrong_link"]
    nothing = await school.act(ugo, child, "wrong-child", is_theirs=True, reason="x")
    assert nothing.json() == {"changed": False}


@pytest.mark.requirement("P8", part="asked for with a confirmation, activated at the desk")
async def test_a_parent_asks_and_the_desk_activates(
    school: School, registry: Registry, confirmer: Confirmer
) -> None:
    anna, sara = await school.enrol(), await school.enrol("78", "Sara")
    (carla, ugo), child = anna["guardians"], anna["student"]
    path, headers = f"/registro/figli/{child}/giustificazione", school.session(carla, "guardian")
    asked = await school.site.post(path, headers=headers)
    assert asked.status_code == 303
    assert asked.headers["location"].startswith("/accesso/conferma?scopo=justification_service")
    code = "A" * 43
    unconfirmed = await school.site.get(f"{path}?conferma={code}", headers=headers)
    assert unconfirmed.headers["location"] == path
    assert (await school.children(carla))[child]["justification_service"] is None
    confirmer.away = True
    assert (await school.site.get(f"{path}?conferma={code}", headers=headers)).status_code == 503
    confirmer.away = False
    confirmer.good.add(("justification_service", f"{carla}:{child}"))
    done = await school.site.get(f"{path}?conferma={code}", headers=headers)
    assert done.headers["location"] == "/registro/?fatto=giustificazione"
    theirs = (await school.children(carla))[child]
    assert (theirs["justification_service"], theirs["may_justify"]) == ("requested", False)
    assert "Carla Verdi" in (await school.site.get(f"{DESK}/segnalazioni", headers=school.desk)).text
    active = await school.act(carla, child, "justification", active=True)
    assert active.json() == {"changed": True}
    assert (await school.children(carla))[child]["may_justify"]
    assert not (await school.children(carla))[sara["student"]]["may_justify"]
    assert not (await school.children(ugo))[child]["may_justify"]
    assert not (await school.children(carla))[child]["child_may_justify"]
    # Next year nobody repeats it, and a system that knows nothing of it undoes nothing.
    later = [GUARDIANS[0] | {"justifies_online": False}, GUARDIANS[1]]
    await school.enrol(school_year="2026/2027", guardians=later)
    assert (await school.children(carla))[child]["may_justify"]
    assert len([e for e in await events_of(registry) if isinstance(e, JustificationServiceActivated)]) == 1
    without = await school.act(carla, child, "justification", active=False)
    assert without.status_code == 422
    over = await school.act(carla, child, "justification", active=False, reason="su richiesta")
    assert over.json() == {"changed": True}
    assert not (await school.children(carla))[child]["may_justify"]


async def test_who_may_not_see_may_not_justify(school: School, registry: Registry) -> None:
    anna = await school.enrol()
    _, ugo = anna["guardians"]
    await school.act(ugo, anna["student"], "restriction", **FROM_TODAY, on=today(registry))
    answer = await school.act(ugo, anna["student"], "justification", active=True)
    assert answer.status_code == 409
    assert "no-access" in answer.text


@pytest.mark.requirement("M4", part="a pupil of age consents")
async def test_a_pupil_of_age_decides_what_a_parent_sees(
    school: School, registry: Registry, confirmer: Confirmer
) -> None:
    grown = await school.enrol(born="2007-02-03")
    (carla, ugo), student = grown["guardians"], grown["student"]
    assert (await school.children(carla))[student]["closed"] is None
    by_consent = PAPER.model_copy(update={"guardians_of_age": GuardiansOfAge.by_consent})
    await registry.adopt_policy(SCHOOL, by_consent, "delibera 3")
    closed = (await school.children(carla))[student]
    assert (closed["closed"], closed["name"]) == ("consent_missing", "Anna Verdi")
    assert "Carla Verdi" in await school.home(student, "pupil")
    path, headers = f"/registro/consenso/{carla}", school.session(student, "pupil")
    assert (await school.site.get(path, headers=headers)).status_code == 200
    assert (await school.site.post(path, headers=headers)).status_code == 422
    asked = await school.site.post(path, data={"scelta": "si"}, headers=headers)
    assert asked.headers["location"].startswith("/accesso/conferma?scopo=parents_consent")
    confirmer.good.add(("parents_consent", f"{student}:{carla}:si"))
    code = "A" * 43
    other = await school.site.get(f"{path}?scelta=no&conferma={code}", headers=headers)
    assert other.headers["location"] == path
    done = await school.site.get(f"{path}?scelta=si&conferma={code}", headers=headers)
    assert done.headers["location"] == "/registro/?fatto=consenso"
    assert (await school.children(carla))[student]["closed"] is None
    assert (await school.children(ugo))[student]["closed"] == "consent_missing"
    parent = school.session(carla, "guardian")
    assert (await school.site.get(path, headers=parent)).status_code == 403
    for way in (school.site.get, school.site.post):
        own = await way(f"/registro/consenso/{student}", headers=headers)
        assert own.status_code == 404, "nobody is their own parent"


@pytest.mark.requirement("E3", part="the desk corrects the address")
async def test_an_address_is_corrected_with_a_reason_and_an_identity_check(
    school: School, registry: Registry
) -> None:
    anna = await school.enrol()
    carla, _ = anna["guardians"]
    path = f"{DESK}/persone/{carla}/indirizzo"
    form = {"indirizzo": "nuova@example.org", "verifica": "identity_document", "motivo": "casella chiusa"}
    for wrong in ({"motivo": ""}, {"verifica": ""}, {"indirizzo": "nuova"}):
        assert (await school.site.post(path, data=form | wrong, headers=school.desk)).status_code == 422
    done = await school.site.post(path, data=form, headers=school.desk)
    assert done.headers["location"] == f"{DESK}/persone/{carla}?fatto=indirizzo"
    again = await school.enrol()
    assert [w["code"] for w in again["warnings"]] == ["address_differs"]
    page = await school.site.get(f"{DESK}/persone/{carla}", headers=school.desk)
    for text in ("nuova@example.org", "casella chiusa", "Indirizzo per le credenziali corretto"):
        assert text in page.text
    corrected = [e for e in await events_of(registry) if isinstance(e, ContactAddressCorrected)]
    assert len(corrected) == 1
    said = {"email": "nuova@example.org", "identity_check": "identity_document", "reason": "x"}
    answer = await school.site.post(
        f"/api/registry/guardians/{carla}/address", json=said, headers=school.desk
    )
    assert answer.json() == {"changed": False}


@pytest.mark.requirement("M1", part="two records become one")
async def test_two_records_of_one_parent_become_one(school: School, registry: Registry) -> None:
    anna = await school.enrol()
    other = [{"id": "99", "family_name": "Verdi", "given_name": "Carla", "phone": "06 1234567"}]
    sara = await school.enrol("78", "Sara", guardians=other)
    (carla, _), (second,) = anna["guardians"], sara["guardians"]
    await school.act(second, sara["student"], "restriction", **FROM_TODAY, on=today(registry))
    found = await school.site.get(f"{DESK}/persone/{carla}/unisci", headers=school.desk)
    assert second in found.text
    said = {"merged": second, "reason": "stessa persona"}
    merge = f"/api/registry/guardians/{carla}/merge"
    done = await school.site.post(merge, json=said, headers=school.desk)
    assert done.json() == {"changed": True}, done.text
    assert (await school.site.post(merge, json=said, headers=school.desk)).json() == {"changed": False}
    theirs = await school.children(carla)
    assert set(theirs) == {anna["student"], sara["student"]}
    assert theirs[sara["student"]]["closed"] == "restricted"
    assert await school.children(second) == {}
    moved = await school.site.get(f"{DESK}/persone/{second}", headers=school.desk)
    assert moved.headers["location"] == f"{DESK}/persone/{carla}"
    # The system that knew the second record goes on with the one that was kept.
    again = await school.enrol("78", "Sara", guardians=other)
    assert again["guardians"] == [carla]
    assert len([e for e in await events_of(registry) if isinstance(e, GuardiansMerged)]) == 1
    backwards = {"merged": carla, "reason": "x"}
    closed = await school.site.post(
        f"/api/registry/guardians/{second}/merge", json=backwards, headers=school.desk
    )
    assert closed.status_code == 404


async def test_two_people_are_not_merged(school: School) -> None:
    codes = ("RSSMRA85T10A562S", "VRDCRL80A41H501X")
    one = [GUARDIANS[0] | {"codice_fiscale": codes[0]}]
    first = await school.enrol(guardians=one)
    other = [{"id": "99", "family_name": "Verdi", "given_name": "Carla"}]
    second = await school.enrol("78", "Sara", guardians=other)
    same = {"merged": first["guardians"][0], "reason": "x"}
    path = f"/api/registry/guardians/{first['guardians'][0]}/merge"
    assert (await school.site.post(path, json=same, headers=school.desk)).status_code == 409
    fine = {"merged": second["guardians"][0], "reason": "x"}
    assert (await school.site.post(path, json=fine, headers=school.desk)).status_code == 200


EXPORT = """Email Address [Required],First Name [Required],Last Name [Required],Password [Required],Org Unit Path [Required],Employee ID,Status [READ ONLY]
anna@scuola.example,ANNA,verdi,segretissima,/Studenti/Classe 1ªA,,Active
sara@scuola.example,Sara,Verdi,segretissima,/,78,Active
prof@scuola.example,Lia,Neri,segretissima,/Docenti,,Active
luca@scuola.example,Luca,Verdi,segretissima,/Studenti/1A,80,Suspended
casa@example.org,Ada,Verdi,segretissima,/Studenti/1A,81,Active
"""


@pytest.mark.requirement("E8", part="API and the directory's export")
async def test_the_directory_says_which_mailboxes_are_there(school: School, registry: Registry) -> None:
    pupils = [("77", "Anna"), ("78", "Sara"), ("80", "Luca"), ("81", "Ada")]
    ids = {name: (await school.enrol(number, name))["student"] for number, name in pupils}
    key = await registry.add_api_key(SCHOOL, "directory", frozenset({Scope.mailboxes}))
    headers = {"Authorization": f"Bearer {key.secret}"}
    files = {"file": ("utenti.csv", EXPORT.encode())}
    path = "/api/registry/mailboxes/files"
    dry = await school.site.post(f"{path}?dry_run=true", files=files, headers=headers)
    done = await school.site.post(path, files=files, headers=headers)
    for answer in (dry, done):
        assert answer.status_code == 200, answer.text
        assert (answer.json()["activated"], answer.json()["unchanged"]) == (2, 0)
        wrong = {(p["line"], p["code"]) for p in answer.json()["problems"]}
        assert wrong == {
            (1, "column_secret"),
            (4, "mailbox_pupil_unknown"),
            (5, "mailbox_suspended"),
            (6, "mailbox_of_guardian"),
        }
        assert "segretissima" not in answer.text
    again = await school.site.post(path, files=files, headers=headers)
    assert (again.json()["activated"], again.json()["unchanged"]) == (0, 2)
    one = {"source": "registro", "mailboxes": [{"pupil": "80", "address": "luca@scuola.example"}]}
    put = {"Idempotency-Key": "m1"}
    for expected in ((1, 0), (0, 1), (0, 1)):
        answer = await school.site.post("/api/registry/mailboxes", json=one, headers=headers | put)
        assert (answer.json()["activated"], answer.json()["unchanged"]) == expected, answer.text
    two = {"mailboxes": [{"student": ids["Ada"], "address": "luca@scuola.example"}]}
    reused = await school.site.post("/api/registry/mailboxes", json=two, headers=headers | put)
    assert reused.status_code == 422
    taken = await school.site.post("/api/registry/mailboxes", json=two, headers=headers)
    assert [p["code"] for p in taken.json()["problems"]] == ["mailbox_taken"]
    events = [e for e in await events_of(registry) if isinstance(e, InstitutionalMailboxActivated)]
    assert [e.student for e in events] == [ids["Anna"], ids["Sara"], ids["Luca"]]
    feeder = await registry.add_api_key(SCHOOL, "alunni")
    refused = {"Authorization": f"Bearer {feeder.secret}"}
    assert (await school.site.post("/api/registry/mailboxes", json=one, headers=refused)).status_code == 403
    unnamed = {"mailboxes": [{"address": "x@scuola.example"}]}
    assert (
        await school.site.post("/api/registry/mailboxes", json=unnamed, headers=headers)
    ).status_code == 422


async def test_the_page_of_mailboxes_shows_first_and_does_then(school: School, registry: Registry) -> None:
    anna = await school.enrol()
    path = f"{DESK}/caselle"
    files = {"file": ("utenti.csv", b"email;codice\nanna@scuola.example;77\nx@scuola.example;nessuno\n")}
    shown = await school.site.post(f"{path}/anteprima", files=files, headers=school.desk)
    assert "1 casella viene attivata." in shown.text
    assert not [e for e in await events_of(registry) if isinstance(e, InstitutionalMailboxActivated)]
    rows = re.search(r'name="righe" value="([^"]*)"', shown.text)
    assert rows is not None
    assert rows[1] == f"{anna['student']} anna@scuola.example"
    done = await school.site.post(path, data={"righe": rows[1]}, headers=school.desk)
    assert done.headers["location"] == f"{path}?attivate=1"
    unreadable = await school.site.post(
        f"{path}/anteprima", files={"file": ("x.csv", b"nome;cognome\nAnna;Verdi\n")}, headers=school.desk
    )
    assert unreadable.status_code == 422
    for bad in ("", f"{anna['student']} nessuno", f"{anna['student']}\x00 a@scuola.example", "x y z"):
        answer = await school.site.post(path, data={"righe": bad}, headers=school.desk)
        assert answer.status_code == 400, bad
    nobody = {"merged": "a\x00b", "reason": "x"}
    merge = f"/api/registry/guardians/{anna['guardians'][0]}/merge"
    assert (await school.site.post(merge, json=nobody, headers=school.desk)).status_code == 404
    alone = f"{DESK}/persone/{anna['student']}/casella"
    guardian = await school.site.post(alone, data={"indirizzo": "casa@example.org"}, headers=school.desk)
    assert guardian.status_code == 422


@pytest.mark.requirement("P5", part="which teacher, which class")
async def test_staff_are_appointed_and_given_classes(school: School, registry: Registry) -> None:
    await school.enrol()
    path = f"{DESK}/incarichi"
    form = {"cognome": "Neri", "nome": "Lia", "email": "lia@example.org", "ruolo": "teacher"}
    weak = school.session("s3", "secretary", strong=False)
    assert (await school.site.post(path, data=form, headers=weak)).status_code == 403
    assert (await school.site.post(path, data=form | {"ruolo": ""}, headers=school.desk)).status_code == 422
    made = await school.site.post(path, data=form, headers=school.desk)
    assert made.status_code == 303, made.text
    person = made.headers["location"].split("?")[0].rsplit("/", 1)[1]
    content = "cognome;nome;email;ruolo;classi\nNERI;Lia;lia@example.org;Docente;1A 9Z\nBlu;Ugo;;ata;\n"
    files = {"file": ("personale.csv", content.encode())}
    shown = await school.site.post(f"{path}/elenco/anteprima", files=files, headers=school.desk)
    assert "1 persona nuova." in shown.text
    assert "9Z" in shown.text
    rows = re.search(r'name="righe" value="([^"]*)"', shown.text)
    assert rows is not None
    for outcome in ("elenco", "gia"):
        done = await school.site.post(f"{path}/elenco", data={"righe": rows[1]}, headers=school.desk)
        assert done.headers["location"] == f"{path}?fatto={outcome}"
    events = await events_of(registry)
    assert [e.teacher for e in events if isinstance(e, TeacherAssigned)] == [person]
    assert len([e for e in events if isinstance(e, StaffMemberAppointed)]) == 3
    none = await school.site.post(f"{path}/{person}/classi", data={}, headers=school.desk)
    assert none.headers["location"].endswith("?fatto=classi")
    (member,) = [m for m in await registry.staffing.members(SCHOOL) if m.person == person]
    assert member.classes == ()
    gone = await school.site.post(f"{path}/{person}/cessazione", headers=school.desk)
    assert gone.headers["location"] == f"{path}?fatto=cessato"
    (class_id,) = [c.class_id for c in await registry.staffing.classes(SCHOOL)]
    late = await school.site.post(f"{path}/{person}/classi", data={"classi": class_id}, headers=school.desk)
    assert late.status_code == 409
    foreign = await school.site.post(f"{path}/{person}/classi", data={"classi": "x"}, headers=school.desk)
    assert foreign.status_code == 404


async def test_another_school_finds_nobody_here(school: School, registry: Registry) -> None:
    """Each act and each page on another school's people answers as on those who do not exist."""
    await with_school(registry, OTHER_SCHOOL, "altra")
    anna = await school.enrol()
    carla, child = anna["guardians"][0], anna["student"]
    foreign = school.session("s2", "principal", "secretary", "administrator", school=OTHER_SCHOOL)
    head = await registry.store.head()
    link = f"/api/registry/guardians/{carla}/children/{child}"
    dated = FROM_TODAY | {"on": today(registry)}
    address = {"email": "x@example.org", "identity_check": "identity_document", "reason": "x"}
    for path, said in {
        f"{link}/restriction": dated,
        f"{link}/restriction/lift": {"reason": "x"},
        f"{link}/end": dated,
        f"{link}/return": {},
        f"{link}/wrong-child": {"is_theirs": False, "reason": "x"},
        f"{link}/justification": {"active": True},
        f"/api/registry/guardians/{carla}/address": address,
        f"/api/registry/guardians/{carla}/merge": {"merged": child, "reason": "x"},
    }.items():
        assert (await school.site.post(path, json=said, headers=foreign)).status_code == 404, path
    assert (await school.site.get(f"/api/registry/people/{carla}", headers=foreign)).status_code == 404
    assert (await school.site.get("/api/registry/people?q=verdi", headers=foreign)).json() == []
    pages = [carla, child, f"{carla}/indirizzo", f"{carla}/unisci", f"{child}/casella"]
    pages += [f"{carla}/figli/{child}/{act}" for act in ("limita", "chiudi", "giustifica", "legame-giusto")]
    for page in pages:
        found = await school.site.get(f"{DESK}/persone/{page}", headers=foreign)
        assert found.status_code == 404, page
    mailbox = {"mailboxes": [{"student": child, "address": "a@s.example"}]}
    unknown = await school.site.post("/api/registry/mailboxes", json=mailbox, headers=foreign)
    assert [p["code"] for p in unknown.json()["problems"]] == ["mailbox_pupil_unknown"]
    stranger = school.session("nobody", "guardian", "pupil")
    for page in (f"figli/{child}/giustificazione", f"figli/{child}/non-e-mio-figlio", f"consenso/{carla}"):
        assert (await school.site.get(f"/registro/{page}", headers=stranger)).status_code == 404
        assert (await school.site.post(f"/registro/{page}", headers=stranger)).status_code == 404
    assert await registry.store.head() == head


async def test_only_a_passkey_restricts_corrects_and_merges(school: School, registry: Registry) -> None:
    anna = await school.enrol()
    carla, child = anna["guardians"][0], anna["student"]
    weak = school.session("s3", "secretary", strong=False)
    teacher = school.session("t1", "teacher")
    link = f"/api/registry/guardians/{carla}/children/{child}"
    dated = FROM_TODAY | {"on": today(registry)}
    for headers in (weak, teacher):
        assert (await school.site.post(f"{link}/restriction", json=dated, headers=headers)).status_code == 403
    act = f"{DESK}/persone/{carla}/figli/{child}"
    for page, status in (("limita", 403), ("giustifica", 200)):
        assert (await school.site.get(f"{act}/{page}", headers=weak)).status_code == status
        assert (await school.site.get(f"{act}/{page}", headers=teacher)).status_code == 403
    assert (await school.site.get(f"{act}/limita")).status_code == 401


async def test_rebuilt_rows_are_those_that_stand(school: School, registry: Registry) -> None:
    anna, sara = await school.enrol(), await school.enrol("78", "Sara")
    carla, ugo = anna["guardians"]
    other = [{"id": "99", "family_name": "Verdi", "given_name": "Carla"}]
    third = await school.enrol("79", "Ada", guardians=other)
    await school.act(ugo, anna["student"], "restriction", **FROM_TODAY, on=today(registry))
    await school.act(ugo, sara["student"], "end", **FROM_TODAY, on=today(registry))
    await school.act(ugo, sara["student"], "return")
    await school.act(carla, sara["student"], "justification", active=True)
    await school.act(carla, anna["student"], "justification", active=True)
    await school.act(carla, anna["student"], "end", **FROM_TODAY, on=today(registry))
    merged = {"merged": third["guardians"][0], "reason": "stessa persona"}
    path = f"/api/registry/guardians/{carla}/merge"
    assert (await school.site.post(path, json=merged, headers=school.desk)).status_code == 200
    settings = registry.runtime.settings
    assert settings.migration_url is not None
    assert settings.keyring_url is not None

    async def nobody(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
        assert source == "identity", (after, upto)
        for batch in list[Sequence[bytes]]():
            yield batch

    owner, keyring = settings.migration_url.get_secret_value(), settings.keyring_url.get_secret_value()
    rebuilt = await Rebuild(registry.store, project, owner, keyring, nobody).run(
        service_role="registry", switch=False
    )
    assert rebuilt.events == await registry.store.head()
    assert rebuilt.differences == {}
