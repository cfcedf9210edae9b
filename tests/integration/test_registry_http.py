"""The registry over HTTP: what is taken, and each refusal with a status of its own (S3)."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.registry.api_keys import Scope
from services.registry.operations import Registry
from services.registry.web import build_web
from shared.contracts.event import Context, Personal
from shared.contracts.identity import StaffAccountOpened, StaffDetails, StaffRole
from shared.contracts.registry import GuardianLinked, StudentEnrolled
from shared.ids import new_id
from shared.web.sessions import Principal, Role, hash_token, new_token
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    YEAR,
    events_of,
    kek_file,
    registry,
    registry_settings,
    with_school,
)

__all__ = ["kek_file", "registry", "registry_settings"]
SITE = "http://localhost:8080"
CSV = (
    "codice_meccanografico,anno_scolastico,classe,sezione,indirizzo,codice_alunno,cognome_alunno,nome_alunno,"
    "data_nascita_alunno,codice_fiscale_alunno,email_istituzionale_alunno,tipo_iscrizione,data_inizio,data_fine,"
    "motivo_fine,codice_genitore,cognome_genitore,nome_genitore,codice_fiscale_genitore,ruolo_genitore,"
    "email_iscrizione_genitore,telefono_genitore,lingua_genitore,accesso_dati,giustifica_online\n"
)
ROW = "{school},2025/2026,1,A,,{id},Verdi,{name},{born},,,,,,,g{id},Verdi,Carla,,MADRE,carla@example.org,,,si,\n"


def csv(*rows: dict[str, str]) -> bytes:
    usual = {"school": SCHOOL, "id": "1", "name": "Anna", "born": "03/02/2014"}
    return (CSV + "".join(ROW.format(**(usual | row)) for row in rows)).encode()


class Signed:
    """Sessions of a test: a token for each who is signed in."""

    def __init__(self) -> None:
        self.principals: dict[bytes, Principal] = {}

    def sign_in(
        self, person: str, *roles: Role, school: str = SCHOOL, must_change: bool = False, strong: bool = True
    ) -> str:
        token = new_token()
        expires = datetime.now(UTC) + timedelta(hours=1)
        found = Principal(
            f"account-{person}", person, school, frozenset(roles), must_change, expires, strong=strong
        )
        self.principals[hash_token(token)] = found
        return token

    async def introspect(self, token_hash: bytes) -> Principal | None:
        return self.principals.get(token_hash)


@pytest.fixture
def signed() -> Signed:
    return Signed()


@pytest.fixture
async def site(registry: Registry, signed: Signed) -> AsyncIterator[httpx.AsyncClient]:
    app = build_web(registry, signed)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE) as client:
        yield client


@pytest.fixture
async def key(registry: Registry) -> dict[str, str]:
    made = await registry.add_api_key(SCHOOL, "registro")
    return {"Authorization": f"Bearer {made.secret}"}


def body(**changes: Any) -> dict[str, Any]:
    usual = {
        "school": SCHOOL,
        "source": "registro",
        "school_year": YEAR,
        "class": {"id": "c1", "grade": 1, "section": "A"},
        "pupil": {"id": "77", "family_name": "Verdi", "given_name": "Anna", "birth_date": "2014-02-03"},
        "guardians": [{"id": "9", "family_name": "Verdi", "given_name": "Carla", "email": "c@example.org"}],
    }
    return usual | changes


def session(token: str) -> dict[str, str]:
    return {"Cookie": f"__Host-custode-session={token}", "Origin": SITE}


@pytest.mark.requirement("S3", part="over HTTP")
async def test_an_enrolment_goes_in_once(
    site: httpx.AsyncClient, key: dict[str, str], registry: Registry
) -> None:
    first = await site.post("/api/registry/enrolments", json=body(), headers=key | {"Idempotency-Key": "a"})
    assert first.status_code == 201, first.text
    again = await site.post("/api/registry/enrolments", json=body(), headers=key | {"Idempotency-Key": "a"})
    without = await site.post("/api/registry/enrolments", json=body(), headers=key)
    assert (again.status_code, without.status_code) == (200, 200)
    for answer in (again, without):
        assert answer.json()["student"] == first.json()["student"]
        assert answer.json()["guardians"] == first.json()["guardians"]
        assert answer.json()["new"] is False
    events = await events_of(registry)
    assert len([e for e in events if isinstance(e, StudentEnrolled)]) == 1
    assert len([e for e in events if isinstance(e, GuardianLinked)]) == 1


async def test_who_acted_is_in_the_history(site: httpx.AsyncClient, registry: Registry) -> None:
    made = await registry.add_api_key(SCHOOL, "registro")
    head = await registry.store.head()
    await site.post(
        "/api/registry/enrolments", json=body(), headers={"Authorization": f"Bearer {made.secret}"}
    )
    recorded = [r async for batch in registry.store.replay(head) for r in batch]
    assert {r.actor for r in recorded} == {f"system:{made.id}"}
    assert len({r.correlation for r in recorded}) == 1


@pytest.mark.parametrize(
    ("changes", "headers", "status", "slug"),
    [
        ({}, {"Authorization": "Bearer custode_wrong"}, 401, "api-key-unknown"),
        ({}, {"Authorization": "Basic eDp5"}, 401, "api-key-unknown"),
        ({"school": OTHER_SCHOOL}, None, 403, "school-foreign"),
        ({"school": "RMIC99999X"}, None, 404, "school-unknown"),
        ({"school": "nonsense"}, None, 422, "invalid-fields"),
        ({"pupil": {"id": "77"}}, None, 422, "invalid-fields"),
        ({"school_year": "2025/2027"}, None, 422, "invalid-fields"),
        ({"surprise": 1}, None, 422, "invalid-fields"),
    ],
)
async def test_refusals(
    site: httpx.AsyncClient,
    key: dict[str, str],
    registry: Registry,
    changes: dict[str, Any],
    headers: dict[str, str] | None,
    status: int,
    slug: str,
) -> None:
    await with_school(registry, OTHER_SCHOOL, "altra")
    head = await registry.store.head()
    answer = await site.post("/api/registry/enrolments", json=body(**changes), headers=headers or key)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:custode:problem:{slug}"
    assert await registry.store.head() == head


@pytest.mark.parametrize(
    ("language", "words"), [("it", "Serve una chiave API"), ("en", "An API key is needed")]
)
async def test_without_a_key_it_is_said_that_one_is_needed(
    site: httpx.AsyncClient, language: str, words: str
) -> None:
    answer = await site.post("/api/registry/enrolments", json=body(), headers={"Accept-Language": language})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert words in answer.json()["detail"] and "Authorization: Bearer" in answer.json()["detail"]


async def test_of_a_wrong_key_it_is_said_who_makes_another(site: httpx.AsyncClient) -> None:
    answer = await site.post(
        "/api/registry/enrolments", json=body(), headers={"Authorization": "Bearer custode_wrong"}
    )
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "chi gestisce l’impianto può farne una nuova" in answer.json()["detail"]


async def test_a_key_used_for_another_enrolment_is_refused(
    site: httpx.AsyncClient, key: dict[str, str], registry: Registry
) -> None:
    headers = key | {"Idempotency-Key": "a"}
    assert (await site.post("/api/registry/enrolments", json=body(), headers=headers)).status_code == 201
    head = await registry.store.head()
    other = body(**{"class": {"id": "c2", "grade": 1, "section": "B"}})
    answer = await site.post("/api/registry/enrolments", json=other, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:custode:problem:idempotency-key-reused"
    assert await registry.store.head() == head


async def test_a_revoked_key_opens_nothing(
    site: httpx.AsyncClient, key: dict[str, str], registry: Registry
) -> None:
    assert await registry.revoke_api_key(SCHOOL, "registro")
    answer = await site.post("/api/registry/enrolments", json=body(), headers=key)
    assert answer.status_code == 401


async def test_a_contradiction_is_409_and_nothing_goes_in(
    site: httpx.AsyncClient, key: dict[str, str], registry: Registry
) -> None:
    await site.post("/api/registry/enrolments", json=body(), headers=key)
    head = await registry.store.head()
    stranger = {"id": "77", "family_name": "Neri", "given_name": "Ugo", "birth_date": "2013-01-01"}
    answer = await site.post("/api/registry/enrolments", json=body(pupil=stranger), headers=key)
    assert answer.status_code == 409
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("#/pupil", "another_person")
    assert "Neri" not in answer.text
    assert await registry.store.head() == head


async def test_a_problem_never_repeats_what_was_sent(site: httpx.AsyncClient, key: dict[str, str]) -> None:
    wrong = {"id": "77", "family_name": "Verdi", "given_name": "Anna", "codice_fiscale": "VRDNNA14B43H501A"}
    answer = await site.post("/api/registry/enrolments", json=body(pupil=wrong), headers=key)
    assert answer.status_code == 422
    assert "VRDNNA14B43H501A" not in answer.text
    assert answer.json()["errors"][0]["pointer"].endswith("/pupil/codice_fiscale")


@pytest.mark.requirement("S3", part="as files over HTTP, with a dry run and row-by-row errors")
async def test_a_file_goes_in_by_a_secretary_or_a_key(
    site: httpx.AsyncClient, key: dict[str, str], signed: Signed, registry: Registry
) -> None:
    files = {"file": ("iscritti.csv", csv({}, {"id": "2", "name": "Bruno", "born": "31/02/2014"}))}
    head = await registry.store.head()
    dry = await site.post("/api/registry/imports?dry_run=true", files=files, headers=key)
    assert dry.status_code == 200, dry.text
    assert await registry.store.head() == head
    secretary = session(signed.sign_in("s1", "secretary"))
    done = await site.post("/api/registry/imports", files=files, headers=secretary)
    assert done.json()["counts"] == dry.json()["counts"]
    assert done.json()["outcome"] == "partial"
    (problem,) = [p for p in done.json()["problems"] if p["severity"] == "error"]
    assert (problem["line"], problem["column"], problem["code"]) == (
        3,
        "data_nascita_alunno",
        "date_impossible",
    )
    again = await site.post("/api/registry/imports", files=files, headers=key)
    assert again.json()["counts"]["events"] == 0


async def test_all_or_nothing_over_http(
    site: httpx.AsyncClient, key: dict[str, str], registry: Registry
) -> None:
    files = {"file": ("iscritti.csv", csv({}, {"id": "2", "name": "Bruno", "born": "31/02/2014"}))}
    head = await registry.store.head()
    answer = await site.post("/api/registry/imports?all_or_nothing=true", files=files, headers=key)
    assert answer.json()["outcome"] == "nothing"
    assert await registry.store.head() == head


async def test_a_file_that_is_none_is_422(site: httpx.AsyncClient, key: dict[str, str]) -> None:
    answer = await site.post(
        "/api/registry/imports", files={"file": ("x.zip", b"PK\x03\x04oops")}, headers=key
    )
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:custode:problem:file-unreadable"
    assert answer.json()["errors"][0]["code"] == "zip_damaged"


async def test_families_may_not_import(site: httpx.AsyncClient, signed: Signed) -> None:
    guardian = session(signed.sign_in("g", "guardian"))
    answer = await site.post("/api/registry/imports", files={"file": ("x.csv", csv({}))}, headers=guardian)
    assert answer.status_code == 403


async def test_classes_and_pupils_of_the_own_school_only(
    site: httpx.AsyncClient, key: dict[str, str], registry: Registry
) -> None:
    await with_school(registry, OTHER_SCHOOL, "altra")
    await site.post("/api/registry/enrolments", json=body(), headers=key)
    made = await registry.add_api_key(SCHOOL, "lettura", [Scope.read])
    key = {"Authorization": f"Bearer {made.secret}"}
    answer = await site.get(f"/api/registry/schools/{SCHOOL}/classes", headers=key)
    (klass,) = answer.json()["classes"]
    assert (answer.json()["year"], klass["title"], klass["pupils"]) == (YEAR, "1A", 1)
    listed = await site.get(f"/api/registry/schools/{SCHOOL}/classes/{klass['class_id']}/pupils", headers=key)
    assert [p["family_name"] for p in listed.json()] == ["Verdi"]
    assert (await site.get(f"/api/registry/schools/{OTHER_SCHOOL}/classes", headers=key)).status_code == 403


async def test_a_guardian_sees_their_children(
    site: httpx.AsyncClient, key: dict[str, str], signed: Signed
) -> None:
    entered = (await site.post("/api/registry/enrolments", json=body(), headers=key)).json()
    page = await site.get(
        "/registro/",
        headers=session(signed.sign_in(entered["guardians"][0], "guardian")) | {"Accept": "text/html"},
    )
    assert page.status_code == 200
    for text in (
        "Carla Verdi",
        "Anna Verdi",
        "1A",
        "Istituto Comprensivo Verdi",
        "Legame con l’alunno",
    ):
        assert text in page.text
    english = await site.get(
        "/registro/?lang=en", headers=session(signed.sign_in(entered["guardians"][0], "guardian"))
    )
    assert "Your children at school" in english.text
    assert "Gli alunni che segue" not in english.text


async def test_a_guardian_without_access_is_told(
    site: httpx.AsyncClient, key: dict[str, str], signed: Signed
) -> None:
    restricted = [{"id": "9", "family_name": "Verdi", "given_name": "Dario", "data_access": False}]
    entered = (
        await site.post("/api/registry/enrolments", json=body(guardians=restricted), headers=key)
    ).json()
    page = await site.get("/registro/", headers=session(signed.sign_in(entered["guardians"][0], "guardian")))
    assert "Accesso ai dati non consentito" in page.text
    assert "1A" not in page.text, "where the child is, is nothing for who may not know"
    assert "Anna" not in page.text, "nor what the child is called now"


async def test_a_pupil_sees_their_class_and_no_one_a_foreign_school(
    site: httpx.AsyncClient, key: dict[str, str], signed: Signed, registry: Registry
) -> None:
    entered = (await site.post("/api/registry/enrolments", json=body(), headers=key)).json()
    page = await site.get("/registro/", headers=session(signed.sign_in(entered["student"], "pupil")))
    assert "La mia classe" in page.text
    assert "1A" in page.text
    await with_school(registry, OTHER_SCHOOL, "altra")
    elsewhere = signed.sign_in(entered["student"], "pupil", school=OTHER_SCHOOL)
    page = await site.get("/registro/", headers=session(elsewhere))
    assert "Anna" not in page.text


async def test_strangers_are_sent_to_sign_in(site: httpx.AsyncClient, signed: Signed) -> None:
    page = await site.get("/registro/", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/accesso/?next=/registro/")
    first = session(signed.sign_in("g", "guardian", must_change=True)) | {"Accept": "text/html"}
    page = await site.get("/registro/", headers=first)
    assert (page.status_code, page.headers["location"]) == (303, "/accesso/cambio-password")


async def test_staff_are_called_by_name(site: httpx.AsyncClient, signed: Signed, registry: Registry) -> None:
    from shared.contracts.entry import Place, encode, encode_data, personal_subjects
    from shared.eventstore.units import Foreign

    details = StaffDetails(user_code="ABCD2345", family_name="Bianchi", given_name="Livia")
    event = StaffAccountOpened(
        account="a1",
        holder="s1",
        roles=(StaffRole.secretary,),
        details=Personal(person="s1", value=details),
    )
    held = await registry.store.keyring.prepare(personal_subjects([event]))
    event_id = new_id()
    place = Place(event_id, "account/a1", 1, 1, SCHOOL, 1, datetime.now(UTC), {})
    recorded = encode(
        event, encode_data(event, event_id, held), place, Context(actor="operator", correlation="c")
    )
    await registry.store.commit([], foreign=Foreign("identity", 0, [recorded]))
    page = await site.get("/registro/", headers=session(signed.sign_in("s1", "secretary")))
    assert "Livia Bianchi" in page.text
    assert "/consegne/" in page.text


async def test_no_personal_data_in_the_log(
    site: httpx.AsyncClient,
    key: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    await site.post("/api/registry/enrolments", json=body(), headers=key)
    await site.post("/api/registry/imports", files={"file": ("x.csv", csv({}))}, headers=key)
    said = caplog.text + "".join(capsys.readouterr())
    for personal in ("Verdi", "Carla", "example.org", "2014-02-03", key["Authorization"]):
        assert personal not in said
