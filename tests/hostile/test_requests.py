"""Every parameter, field, cookie and header of every page and operation takes every hostile string."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
import pytest_asyncio

from services.registry.requests import EnrolmentRequest
from tests.acceptance.installation import Installation, School
from tests.hostile.answers import wrong_with
from tests.hostile.fields import Field, fields, put
from tests.hostile.operations import somewhere
from tests.hostile.strings import HOSTILE

pytestmark = pytest.mark.asyncio(loop_scope="session")
AT_ONCE = 8
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
JSON: dict[str, dict[str, Any]] = {
    "/api/identity/sessions": {"user_code": "ABCD2345", "password": "sbagliata"},
    "/api/identity/password": {
        "user_code": "ABCD2345",
        "old": "sbagliata",
        "new": "una frase abbastanza lunga",
    },
    "/api/identity/issuance": {"accounts": ["nessuno"]},
}


@dataclass
class World:
    installation: Installation
    school: School
    secretary: dict[str, str]
    api_key: dict[str, str]
    known: dict[str, str]

    def url(self, service: str) -> str:
        return self.installation.running.service_url(service)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(installation: Installation, printing: School) -> AsyncIterator[World]:
    await printing.enrol(printing.pupil(), printing.guardian())
    await printing.happened("DeliveryRequested", 1)
    delivery = next(e for e in await printing.events() if e.name == "DeliveryRequested").data["delivery"]
    known = {"code": printing.code, "class_id": await printing.class_id(), "delivery": delivery}
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
        {"Authorization": f"Bearer {printing.api_key}"},
        known | {"customer_id": printing.customer_id},
    )


def request(world: World, field: Field, text: str) -> httpx.Request:
    """A request in which this one field is hostile, and all else is in order."""
    if field.where in ("path", "query"):
        text = text[:5_000]  # no client sends a longer address
    path, form, query, body = field.route.path, dict(FORMS.get(field.route.path, {})), "", None
    for name in (p.alias for p in field.route.dependant.path_params):
        value = text if (field.where, field.name) == ("path", name) else world.known[name]
        path = path.replace(f"{{{name}}}", quote(value, safe="", errors="surrogatepass"))
    if field.where == "query":
        query = urlencode({field.name: text}, errors="surrogatepass")
    content, headers = b"", {"Accept": "text/html" if "/api/" not in path else "application/json"}
    if field.where == "form":
        form[field.name] = text
        if field.name == "nuova":
            form["ripeti"] = text
        content = urlencode(form, errors="surrogatepass").encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif field.where == "json":
        start = JSON.get(field.route.path) or _enrolment(world, field, text)
        body = put(start, field.name, text)
        content = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    if field.service == "registry" and field.where == "json":
        headers |= world.api_key
    elif not field.route.path.startswith(
        ("/accesso/", "/s/", "/api/identity/sessions", "/api/identity/password")
    ) or (field.route.path == "/accesso/emissioni"):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in world.secretary.items())
    headers |= {"Origin": world.installation.site, "X-Forwarded-For": somewhere()}
    method = sorted(field.route.methods or ())[-1]
    return httpx.Request(
        method, f"{world.url(field.service)}{path}?{query}", headers=headers, content=content or None
    )


def _enrolment(world: World, field: Field, text: str) -> dict[str, Any]:
    """A pupil for each field and string, in the school that issues nothing."""
    number = f"{field.name}:{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"
    return world.school.enrolment(world.school.pupil(id=number), world.school.guardian(id=f"{number}-g"))


async def asked(
    requests: list[tuple[str, httpx.Request]],
) -> tuple[list[str], list[tuple[str, httpx.Response]]]:
    """What is wrong with the answers, and the answers, in the requests' order."""
    turns = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(trust_env=False, timeout=30, limits=limits) as client:

        async def one(label: str, wanted: httpx.Request) -> tuple[str, httpx.Response]:
            async with turns:
                return label, await client.send(wanted)

        answers = await asyncio.gather(*(one(*each) for each in requests))
    wrong = [f"{label}: {why}" for label, answer in answers for why in wrong_with(answer)]
    return wrong, answers


async def test_every_parameter_and_field_of_every_route(world: World) -> None:
    every = [field for field in fields() if field.model is not EnrolmentRequest]
    assert len(every) > 30
    requests = [
        (f"{field.label} <- {name}", request(world, field, text))
        for field in every
        for name, text in HOSTILE.items()
    ]
    wrong, answers = await asked(requests)
    assert not wrong, "\n".join(wrong[:40])
    statuses = {answer.status_code for _, answer in answers}
    assert {200, 303, 401, 404, 422} <= statuses, statuses
