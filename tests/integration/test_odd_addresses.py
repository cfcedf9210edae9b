"""Addresses, queries and bodies with characters that no text has: refused by every route of every service, never a 500."""

from collections.abc import Iterable, Iterator
from json import dumps
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from deploy.engines import NatsEngine, PostgresEngine
from services.identity.api import api_routes
from services.identity.app import Parts
from services.identity.pages import page_routes
from services.notifications import api as notifications_api
from services.notifications import pages as notifications_pages
from services.notifications import pages_hand_over
from services.registry import api as registry_api
from services.registry import pages as registry_pages
from services.registry.operations import Registry
from services.registry.web import build_web
from shared.contracts.policy import PAPER
from tests.integration.identity_fixtures import identity_world
from tests.integration.notifications_fixtures import open_house
from tests.integration.notifications_web import Sessions, front
from tests.integration.registry_fixtures import SCHOOL, kek_file, registry, registry_settings
from tests.integration.test_identity_web import CHOSEN, Browser, a_secretary
from tests.integration.test_registry_http import Signed, body, session

__all__ = ["kek_file", "registry", "registry_settings"]
JSON = {"Content-Type": "application/json"}
ODD = ["%00", "a%00b", "%0A", "%0d", "%1F", "%7F", "%C2%85", "%FF", "%C3%28", "%ED%A0%80", "%80"]
NOT_ODD = ["%E2%82%AC", "%EF%BF%BD", "a%20b", "%F0%9F%8E%93", "%25%30%30"]


def served(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route


def addresses(route: APIRoute, value: str) -> Iterator[str]:
    """The route's address with `value` for one parameter after another, or after its end."""
    names = [each.name for each in route.dependant.path_params]
    for odd in names or [""]:
        path = route.path
        for name in names:
            path = path.replace(f"{{{name}}}", value if name == odd else "x")
        yield path if names else path + value


async def ask(
    app: FastAPI, routes: Iterable[BaseRoute], headers: dict[str, str]
) -> list[tuple[str, str, int]]:
    """Every route with every odd address and query; what was not answered as it should be."""
    wrong = []
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        for route in served(routes):
            for method in sorted(route.methods or ()):
                for path in (path for value in ODD for path in addresses(route, value)):
                    answer = await client.request(method, path)
                    kind = answer.headers.get("content-type", "").split(";")[0]
                    if (answer.status_code, kind) != (404, "application/problem+json"):
                        wrong.append((method, path, answer.status_code))
                for path in (path for value in NOT_ODD for path in addresses(route, value)):
                    answer = await client.request(method, path)
                    if answer.status_code >= 500:
                        wrong.append((method, path, answer.status_code))
                for name in (each.alias for each in route.dependant.query_params):
                    query = f"{route.path}?{name}=%00".replace("{code}", SCHOOL)
                    answer = await client.request(method, query)
                    if answer.status_code not in (400, 401, 404, 422):
                        wrong.append((method, query, answer.status_code))
    return wrong


async def test_of_the_registry(registry: Registry) -> None:
    signed = Signed()
    headers = session(signed.sign_in("s", "secretary")) | {"Host": "localhost:8080"}
    routes = [*registry_api.router.routes, *registry_pages.router.routes]
    assert len(list(served(routes))) >= 6
    assert await ask(build_web(registry, signed), routes, headers) == []


async def test_of_notifications(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> None:
    async with open_house(postgres, nats_server, tmp_path) as house:
        await house.school(PAPER)
        sessions = Sessions()
        cookie = f"__Host-custode-session={sessions.open('secretary')}"
        headers = {"Cookie": cookie, "Origin": "http://localhost:8480", "Host": "localhost:8480"}
        routers = (notifications_api.router, notifications_pages.router, pages_hand_over.router)
        routes = [route for router in routers for route in router.routes]
        assert len(list(served(routes))) >= 15
        assert await ask(front(house, sessions), routes, headers) == []


def routes_of(parts: Parts) -> list[BaseRoute]:
    return [*page_routes(parts.front).routes, *api_routes(parts.front).routes]


async def test_of_identity(postgres: PostgresEngine, folder: Path) -> None:
    async with identity_world(postgres, folder) as world:
        await world.school(PAPER)
        code = await a_secretary(world)
        app = world.parts.web()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8480") as client:
            browser = Browser(client, {})
            signed_in = await browser.post("/accesso/", codice=code, password=CHOSEN)
            assert signed_in.status_code == 303, signed_in.text
            odd = {"holders": ["\x00"]}
            bodies: list[tuple[str, Any]] = [
                ("/api/identity/issuance", odd),
                ("/api/identity/issuance", {"accounts": ["a\x00"]}),
                ("/api/identity/issuance", {"holders": ["\ud800"]}),
            ]
            cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
            headers = {"Cookie": cookies, "Origin": "http://localhost:8480", "Host": "localhost:8480"}
            for path, sent in bodies:
                answer = await client.post(path, content=dumps(sent), headers=headers | JSON)
                assert answer.status_code == 422, (path, answer.status_code)
            answer = await browser.post("/accesso/emissioni", **odd)
            assert answer.status_code == 422
        routes = routes_of(world.parts)
        assert len(list(served(routes))) >= 15
        assert await ask(app, routes, headers) == []


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
async def test_an_enrolment_with_such_a_text_is_422(registry: Registry, text: str) -> None:
    made = await registry.add_api_key(SCHOOL, "registro")
    headers = {"Authorization": f"Bearer {made.secret}"} | JSON
    app = build_web(registry, Signed())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as client:
        for where in (("class", "id"), ("class", "title"), ("pupil", "id"), ("pupil", "given_name")):
            sent = body()
            sent[where[0]] = {**sent[where[0]], where[1]: text}
            answer = await client.post("/api/registry/enrolments", content=dumps(sent), headers=headers)
            assert answer.status_code == 422, (where, answer.status_code)
        answer = await client.post(
            "/api/registry/enrolments", content=dumps(body(source=text)), headers=headers
        )
        assert answer.status_code == 422
