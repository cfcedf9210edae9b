"""Every role against every object, own and foreign: the registry."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.registry.operations import Registry
from services.registry.web import build_web
from shared.web.sessions import ROLES, Role
from tests.attacker import matrix
from tests.attacker.matrix import Cast, Ground
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    YEAR,
    kek_file,
    registry,
    registry_settings,
    with_school,
)

__all__ = ["kek_file", "registry", "registry_settings"]
SITE = "http://localhost:8080"
IN_STRIDE: dict[str, frozenset[Role]] = {"/registro/sportello/importa/{upload}/annulla": ROLES}
PUBLIC = frozenset({("GET", "/registro"), ("GET", "/api/registry/")})


async def enrol(http: httpx.AsyncClient, registry: Registry, school: str) -> None:
    key = await registry.add_api_key(school, "registro")
    body = {
        "school": school,
        "source": "registro",
        "school_year": YEAR,
        "class": {"id": "c1", "grade": 1, "section": "A"},
        "pupil": {"id": "77", "family_name": "Verdi", "given_name": "Anna", "birth_date": "2014-02-03"},
        "guardians": [{"id": "9", "family_name": "Verdi", "given_name": "Carla", "email": "c@example.org"}],
    }
    headers = {"Authorization": f"Bearer {key.secret}"}
    assert (await http.post("/api/registry/enrolments", json=body, headers=headers)).status_code == 201


@pytest.fixture
async def ground(registry: Registry) -> AsyncIterator[Ground]:
    await with_school(registry, OTHER_SCHOOL, "altra")
    cast = Cast()
    app = build_web(registry, cast)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE) as http:
        for school in (SCHOOL, OTHER_SCHOOL):
            await enrol(http, registry, school)
    yield Ground(app, registry.store.pool, SITE, SCHOOL, OTHER_SCHOOL, cast, PUBLIC, in_stride=IN_STRIDE)


@pytest.mark.requirement("M10", part="what nobody else may, nobody else gets")
async def test_nobody_gets_what_the_table_does_not_give_them(ground: Ground) -> None:
    assert await matrix.everything(ground) == ""
