"""Every operation of the three JSON APIs does what its description says, whatever it is asked (M11)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from deploy.demo.backstage import registry_of
from deploy.demo.memory import Key
from services.registry.api_keys import Scope
from shared.ids import new_id
from tests.acceptance.installation import Installation, School
from tests.hostile.circulars_asked import provoke_circulars
from tests.hostile.operations import ONLY_UNDER_LOAD, Service
from tests.hostile.people_asked import CODES, provoke_people

pytestmark = pytest.mark.asyncio(loop_scope="session")
SERVICES = ("registry", "identity", "notifications")
END = "DELETE /api/identity/sessions"
BIG = b"x" * (70 * 1024 * 1024)


class Known(dict[str, Any]):
    """What a path may name, by the name of its parameter; of what does not exist yet, the id of nothing."""

    def __missing__(self, name: str) -> str:
        self[name] = new_id()
        return str(self[name])


@dataclass
class World:
    """The services, a school that exists on them with its class, pupil and delivery, and who may ask for it."""

    services: dict[str, Service]
    school: School
    secretary: Key
    another: Key
    reader: dict[str, str]
    feeder: dict[str, str]
    known: dict[str, Any]
    installation: Installation

    async def session(self, key: Key) -> dict[str, str]:
        async with self.installation.visitor() as visitor:
            await self.installation.sign_in(visitor, key)
            cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        return {"Cookie": cookies, "Origin": self.installation.site}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(installation: Installation, printing: School) -> AsyncIterator[World]:
    services = {}
    for name in SERVICES:
        url = installation.running.service_url(name)
        document = (await installation.http.get(f"{url}/api/{name}/openapi.json")).json()
        services[name] = Service(url, document)
    await printing.enrol(printing.pupil(), printing.guardian())
    await printing.happened("DeliveryRequested", 1)
    requested = next(e for e in await printing.events() if e.name == "DeliveryRequested").data
    class_id = await printing.class_id()
    async with registry_of(installation.running.parts.wiring) as registry:
        reader = await registry.add_api_key(printing.code, "lettura", frozenset({Scope.read}))
    await installation.settled()
    yield World(
        services,
        printing,
        await printing.secretary(),
        await installation.staff(printing.code),
        {"Authorization": f"Bearer {reader.secret}"},
        {"Authorization": f"Bearer {printing.api_key}"},
        Known(
            code=printing.code,
            class_id=class_id,
            delivery=requested["delivery"],
            account=requested["account"],
            person=requested["holder"],
        ),
        installation,
    )


async def test_whatever_is_asked_is_answered_as_described(world: World) -> None:
    secretary, another = await world.session(world.secretary), await world.session(world.another)
    for service in world.services.values():
        for label in service.operations:
            who = world.feeder if label.startswith("POST /api/registry/") else secretary
            if label == END:
                continue  # it takes nothing but the session, which the first request ends: see below
            if label == "POST /api/identity/password":
                who = another
            for headers in ({}, who):
                await asyncio.to_thread(service.exercise, label, headers, world.known)


async def test_every_status_described_is_one_that_is_answered(
    world: World, installation: Installation
) -> None:
    elsewhere = await installation.school("email")
    signed_in = await _sessions(world, elsewhere)
    codes: tuple[dict[str, str], ...] = (*({"codice_fiscale": code} for code in CODES), {})
    families = [await world.school.enrol(world.school.pupil(), world.school.guardian(**c)) for c in codes]
    await asyncio.to_thread(provoke_people, world.services["registry"], signed_in["secretary"], families)
    await asyncio.to_thread(_provoke, world, elsewhere, signed_in)
    for service in world.services.values():
        for label in service.operations:
            unseen = service.documented(label) - service.seen[label] - ONLY_UNDER_LOAD
            assert not unseen, f"{label} is said to answer {sorted(unseen)}, and never did"


async def _sessions(world: World, elsewhere: School) -> dict[str, dict[str, str]]:
    pupil, mother = elsewhere.pupil(), elsewhere.guardian()
    await elsewhere.enrol(pupil, mother)
    letter = await world.installation.letter(mother["email"])
    return {
        "secretary": await world.session(world.secretary),
        "ending": await world.session(world.secretary),
        "changing": await world.session(world.another),
        "mother": await world.session(Key(letter.code, letter.password)),
    }


def _provoke(world: World, elsewhere: School, signed_in: dict[str, dict[str, str]]) -> None:
    """What generated requests do not come upon: foreign schools, repeated keys, too much of everything."""
    odd_query = {"params": {"x": "\x01"}}
    whose = {"school": elsewhere.code}
    provoke_circulars(world.services["notifications"], signed_in["secretary"], world.school.code)
    for service in world.services.values():
        for label, operation in service.operations.items():
            parts: dict[str, Any] = {}
            desk, mother = signed_in["secretary"], signed_in["mother"]
            if label == END:  # whoever comes here is signed out
                desk = mother = signed_in["ending"]
            names = {parameter.name for parameter in operation.path_parameters}
            if names:
                parts["path_parameters"] = {name: world.known[name] for name in names}
            service.one(label, desk, **parts, **odd_query)
            service.one(label, {}, **parts)
            service.one(label, {"Authorization": "Bearer wrong"}, **parts)
            service.one(label, {**mother, "Origin": "https://elsewhere.example"}, **parts)
            service.one(label, mother, **parts)
            service.one(label, desk, **parts)
            if names:
                unknown = {name: new_id() for name in names}
                service.one(label, desk, path_parameters=unknown)
                service.one(label, world.reader, path_parameters=parts["path_parameters"])
                if "code" in names:
                    foreign = parts["path_parameters"] | {"code": elsewhere.code}
                    service.one(label, world.reader, path_parameters=foreign)
            if "413" in service.documented(label):
                service.one(label, desk, **parts, media_type="application/json", body=BIG)
    registry, identity = world.services["registry"], world.services["identity"]
    enrol = "POST /api/registry/enrolments"
    body = world.school.enrolment(world.school.pupil(), world.school.guardian())
    assert registry.one(enrol, world.feeder, body=body, media_type="application/json") == 201
    assert registry.one(enrol, world.feeder, body=body, media_type="application/json") == 200
    for other, status in ((body | whose, 403), (body | {"school": "RMIS99999Z"}, 404)):
        assert registry.one(enrol, world.feeder, body=other, media_type="application/json") == status
    past = body | {"school_year": "2024/2025"}
    assert registry.one(enrol, world.feeder, body=past, media_type="application/json") == 409
    upload = "POST /api/registry/imports"
    header = "codice_meccanografico;anno_scolastico;classe;sezione;codice_alunno;cognome_alunno;nome_alunno\n"
    row = f"{world.school.code};2026/2027;1;A;X1;Rossi;Anna\n"
    for content, status in ((header + row, 200), ("codice_meccanografico;classe\n", 422)):
        file = {"file": content}
        assert registry.one(upload, world.feeder, body=file, media_type="multipart/form-data") == status
    key = {"user_code": world.secretary.user_code, "password": world.secretary.password}
    assert identity.one("POST /api/identity/sessions", {}, body=key, media_type="application/json") == 201
    issue = "POST /api/identity/issuance"
    assert (
        identity.one(issue, signed_in["secretary"], body={"school": True}, media_type="application/json")
        == 202
    )
    change = "POST /api/identity/password"
    wrong = {"user_code": "ABCD2345", "old": "sbagliata", "new": f"una password lunga {new_id()[-12:]}"}
    assert identity.one(change, {}, body=wrong, media_type="application/json") == 401
    chosen = {"old": world.another.password, "new": f"una password lunga {new_id()[-12:]}"}
    assert identity.one(change, signed_in["changing"], body=chosen, media_type="application/json") == 204
