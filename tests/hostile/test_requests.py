"""Every parameter, field, cookie and header of every page and operation takes every hostile string."""

import asyncio
import itertools
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import asyncpg
import httpx
import pytest
import pytest_asyncio

from deploy.demo.backstage import registry_of
from services.registry.requests import EnrolmentRequest
from shared.contracts.identity import StaffRole
from tests.acceptance.installation import Installation, School
from tests.hostile.answers import wrong_with
from tests.hostile.bodies import BODIES
from tests.hostile.fields import Field, fields, headers_read, put
from tests.hostile.operations import somewhere
from tests.hostile.strings import BYTES, HOSTILE, KINDS, cleaned
from tests.hostile.world import PLAN, Known, described, with_every_role

pytestmark = pytest.mark.asyncio(loop_scope="session")
AT_ONCE = 8
PATIENCE = 20
STORED_SQL = Path(__file__).with_name("stored.sql").read_text()
FORMS: dict[str, dict[str, str]] = {
    "/accesso/": {"codice": "ABCD2345", "password": "sbagliata"},
    "/accesso/cambio-password": {
        "codice": "ABCD2345",
        "attuale": "sbagliata",
        "nuova": "una frase abbastanza lunga",
        "ripeti": "una frase abbastanza lunga",
    },
    "/consegne/classi/{class_id}/tagliandi": {"scelta": "selezione", "holders": "nessuno"},
}
"""What stands in the other fields, so that each form is read to its end."""
UNKNOWN = {
    "/accesso/",
    "/accesso/cambio-password",
    "/s/{customer_id}",
    "/api/identity/sessions",
    "/api/identity/password",
}
"""Asked by nobody whom we know."""
TODAY = datetime.now(UTC).date().isoformat()
USUAL = {
    "motivo": "per una prova",
    "controllo": "identity_document",
    "verifica": "identity_document",
    "dal": "2036-10-01",
    "fondamento": "court_order",
    "indirizzo": "nuova@famiglia.example",
    "perche": "barred",
    "nota": "per una prova",
    "titolo": "Prova",
    "ruoli": "guardian",
    "giorno": "2036-09-01",
    "ora": "08:00",
    "numero": "1",
    "data": TODAY,
    "oggetto": "Prova",
    "testo": "Prova.",
    "firma": "La dirigente",
    "destinatari": "public",
    "nome": "Ada",
    "cognome": "Neri",
    "a": "holder",
}
"""The same, by the name that a field has in every form of the desk."""
JSON: dict[str, dict[str, Any]] = {
    "/api/identity/sessions": {"user_code": "ABCD2345", "password": "sbagliata"},
    "/api/identity/password": {
        "user_code": "ABCD2345",
        "old": "sbagliata",
        "new": "una frase abbastanza lunga",
    },
    "/api/identity/issuance": {"accounts": ["nessuno"]},
    "/api/identity/confirmations": {"purpose": "justification_service", "subject": "x", "proof": "sbagliata"},
    "/api/identity/pin": {"proof": "sbagliata", "new": "580217"},
    "/api/identity/staff": {"roles": ["teacher"], "given_name": "Ada", "family_name": "Neri"},
    "/api/notifications/campaigns": {**PLAN, "opens": "2036-09-01T08:00:00Z"},
    "/api/notifications/campaigns/preview": PLAN,
    "/api/notifications/circulars": {
        "number": "7",
        "day": TODAY,
        "subject": "Prova",
        "text": "Prova.",
        "signed_by": "La dirigente",
        "audiences": ["public"],
    },
    "/api/registry/mailboxes": {"mailboxes": [{"student": "nessuno", "address": "a@scuola.example"}]},
    "/api/registry/policy": {"preset": "paper", "reason": "per una prova"},
}
STRINGS = 3
"""For each field, another few of the kinds each time: over all fields, each kind many times."""
ALWAYS = {
    ("POST /accesso/sportello/credenziali/{account}/sospendi form.chiave", "NUL"),
    ("POST /consegne/campagne form.ora", "terminal escape"),
    ("POST /consegne/testi/carta-intestata form.testata", "NUL"),
    ("GET /registro/sportello/persone/{guardian}/figli/{student}/chiudi query.da", "line separator"),
}
"""What was answered badly once."""


@dataclass
class World:
    installation: Installation
    school: School
    secretary: dict[str, str]
    boss: dict[str, str]
    without_policy: School
    known: dict[str, Any]

    def url(self, service: str) -> str:
        return self.installation.running.service_url(service)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(installation: Installation, printing: School) -> AsyncIterator[World]:
    entered = await printing.enrol(printing.pupil(), printing.guardian())
    await printing.happened("DeliveryRequested", 1)
    requested = next(e for e in await printing.events() if e.name == "DeliveryRequested").data
    identity = (await described(installation))["identity"]
    boss_key = await installation.staff(printing.code, StaffRole.administrator)
    boss = await with_every_role(installation, identity, boss_key)
    known = Known(
        code=printing.code,
        class_id=await printing.class_id(),
        delivery=requested["delivery"],
        slip_id=requested["delivery"],
        account=requested["account"],
        person=entered["student"],
        student=entered["student"],
        guardian=entered["guardians"][0],
        customer_id=printing.customer_id,
        template="reminder",
        language="it",
    )
    await installation.settled()
    async with installation.visitor() as visitor:
        await visitor.open(f"/s/{printing.customer_id}?lang=en")
        await installation.sign_in(visitor, await printing.secretary())
        assert visitor.path == "/consegne/", visitor.page
        cookies = visitor.cookies
    yield World(
        installation,
        printing,
        cookies,
        boss,
        await without_policy(installation),
        known,
    )


async def without_policy(installation: Installation) -> School:
    """A school for which nothing is issued: its thousand people cost no hashing."""
    code, customer = "NAIS00001N", "senza-circolare"
    async with registry_of(installation.running.parts.wiring) as registry:
        await registry.register_school(code, "Istituto senza circolare", customer)
        key = await registry.add_api_key(code, "prova")
    return School(installation, code, customer, key.secret)


def request(world: World, field: Field, text: str) -> httpx.Request:
    """A request in which this one field is hostile, and all else is in order."""
    if field.where in ("path", "query"):
        text = text[:5_000]  # no client sends a longer address
    path, query, body = field.route.path, "", None
    for name in (p.alias for p in field.route.dependant.path_params):
        value = text if (field.where, field.name) == ("path", name) else world.known[name]
        path = path.replace(f"{{{name}}}", quote(value, safe="", errors="surrogatepass"))
    if field.where == "query":
        query = urlencode({field.name: text}, errors="surrogatepass")
    method = sorted(field.route.methods or ())[-1]
    content, headers = b"", {"Accept": "text/html" if "/api/" not in path else "application/json"}
    if field.where == "form":
        form = {**FORMS.get(field.route.path, USUAL), field.name: text}
        if field.name == "nuova":
            form["ripeti"] = text
        content = urlencode(form, errors="surrogatepass").encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif field.where == "json":
        body = put(_body(world, field, text, method), field.name, text)
        content = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    if field.model is EnrolmentRequest:
        headers["Authorization"] = f"Bearer {world.without_policy.api_key}"
    elif field.route.path not in UNKNOWN:
        headers["Cookie"] = world.boss["Cookie"]
    headers |= {"Origin": world.installation.site, "X-Forwarded-For": somewhere()}
    return httpx.Request(
        method, f"{world.url(field.service)}{path}?{query}", headers=headers, content=content or None
    )


def _body(world: World, field: Field, text: str, method: str) -> dict[str, Any]:
    if field.model is EnrolmentRequest:
        return _enrolment(world, field, text)
    path = field.route.path
    return JSON.get(path) or BODIES.get(f"{method} {path}") or {}


def _enrolment(world: World, field: Field, text: str) -> dict[str, Any]:
    """A pupil for each field and string, in the school that issues nothing."""
    number = number_of(field.name, text)
    school = world.without_policy
    return school.enrolment(school.pupil(id=number), school.guardian(id=f"{number}-g"))


def number_of(field: str, text: str) -> str:
    return f"{field}:{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


async def asked(
    requests: list[tuple[str, httpx.Request]],
) -> tuple[list[str], list[tuple[str, httpx.Response]]]:
    """What is wrong with the answers, and the answers, in the requests' order."""
    turns = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(trust_env=False, timeout=30, limits=limits) as client:

        async def one(label: str, wanted: httpx.Request) -> tuple[str, httpx.Response]:
            async with turns:
                answer = await client.send(wanted)
            for _ in range(PATIENCE):
                if answer.status_code != 503 or "retry-after" not in answer.headers:
                    break  # else more guesses at passwords than there is room for: ask again, as one is told
                await asyncio.sleep(1)
                answer = await client.send(wanted)
            return label, answer

        answers = await asyncio.gather(*(one(*each) for each in requests))
    wrong = [f"{label}: {why}" for label, answer in answers for why in wrong_with(answer)]
    return wrong, answers


async def test_every_parameter_and_field_of_every_route(world: World) -> None:
    every = [field for field in fields() if field.model is not EnrolmentRequest]
    assert len(every) > 500
    assert {(field.label, name) for field in every for name in KINDS} >= ALWAYS
    kinds = itertools.cycle(KINDS)
    requests = [
        (f"{field.label} <- {name}", request(world, field, HOSTILE[name]))
        for field in every
        for name in (*itertools.islice(kinds, STRINGS), *(k for label, k in ALWAYS if label == field.label))
    ]
    wrong, answers = await asked(requests)
    assert not wrong, "\n".join(wrong[:40])
    statuses = {answer.status_code for _, answer in answers}
    assert {200, 201, 204, 303, 401, 404, 409, 422} <= statuses, statuses
    async with httpx.AsyncClient(trust_env=False) as client:
        me = await client.get(f"{world.url('identity')}/api/identity/me", headers=world.boss)
    assert me.status_code == 200, "whoever asked was signed out on the way"


async def test_every_field_of_an_enrolment(world: World) -> None:
    """Entered as it is, or refused with the field's pointer."""
    every = [field for field in fields() if field.model is EnrolmentRequest]
    requests = [
        (f"{field.name} <- {name}", request(world, field, HOSTILE[name])) for field in every for name in KINDS
    ]
    wrong, answers = await asked(requests)
    for label, answer in answers:
        pointers = {error["pointer"] for error in answer.json().get("errors", ())}
        expected = "#/body/" + label.partition(" <- ")[0].replace(".", "/")
        if answer.status_code == 422 and expected not in pointers and pointers != {"#/body"}:
            wrong.append(f"{label}: refused as of {pointers}")
        elif answer.status_code not in (200, 201, 403, 404, 422):
            wrong.append(f"{label}: {answer.status_code}")
    assert not wrong, "\n".join(wrong[:40])
    database = await asyncpg.connect(world.installation.running.urls("registry").runtime)
    rows = {row["pupil"]: row for row in await database.fetch(STORED_SQL)}
    await database.close()
    for field, name in itertools.product(("pupil.family_name", "pupil.given_name"), KINDS):
        row = rows.get(number_of(field, HOSTILE[name]))
        if row is not None:
            assert row[field.partition(".")[2]] == cleaned(HOSTILE[name]), (field, name)


async def test_every_header_and_cookie(world: World) -> None:
    """Sent as raw bytes, for no HTTP client would: whoever reads them refuses them or reads on."""
    assert {"accept-language", "host", "x-forwarded-for", "authorization"} <= headers_read()
    values = [HOSTILE[name].encode("utf-8", "surrogatepass") for name in KINDS] + list(BYTES.values())
    sent = []
    for service, path in (
        ("identity", "/accesso/"),
        ("registry", "/registro/"),
        ("notifications", "/consegne/"),
    ):
        for value in values:
            sent += [(service, path, name.encode(), value) for name in headers_read() | {"traceparent"}]
            sent += [(service, path, b"cookie", name.encode() + b"=" + value) for name in world.secretary]
            sent.append((service, path, b"cookie", value))
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(service: str, path: str, name: bytes, value: bytes) -> str | None:
        async with turns:
            answer = await raw(world.url(service), path, name, value)
        status = answer.split(b" ", 2)[1] if answer else b"closed"
        injected = b"\r\nx-injected" in answer.lower() or b"<x-injected" in answer
        return f"{service} {name!r}: {value[:60]!r}: {status!r}" if status >= b"5" or injected else None

    wrong = [why for why in await asyncio.gather(*(one(*each) for each in sent)) if why]
    assert not wrong, "\n".join(wrong[:40])


async def raw(url: str, path: str, name: bytes, value: bytes) -> bytes:
    """The answer's bytes to a request with this one header as it is; the second half of a value is the server's to
    judge."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    lines = {b"host": where.netloc.encode(), b"accept": b"text/html", b"connection": b"close"} | {name: value}
    head = b"".join(key + b": " + text + b"\r\n" for key, text in lines.items())
    try:
        writer.write(b"GET " + path.encode() + b" HTTP/1.1\r\n" + head + b"\r\n")
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
