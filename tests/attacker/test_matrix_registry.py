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
UNFURNISHED = frozenset(
    {
        "/registro/sportello/incarichi/{person}",
        "/registro/sportello/incarichi/{person}/cessazione",
        "/registro/consenso/{guardian}",
        "/registro/sportello/importa/{upload}",
    }
)
PUBLIC = frozenset({("GET", "/registro"), ("GET", "/api/registry/")})


async def enrol(http: httpx.AsyncClient, registry: Registry, school: str) -> dict[str, list[str]]:
    """Two families of a school: the second one's pupil and guardian."""
    key = await registry.add_api_key(school, "registro")
    headers = {"Authorization": f"Bearer {key.secret}"}
    for pupil, guardian in (("77", "9"), ("78", "10")):
        body = {
            "school": school,
            "source": "registro",
            "school_year": YEAR,
            "class": {"id": "c1", "grade": 1, "section": "A"},
            "pupil": {"id": pupil, "family_name": "Verdi", "given_name": "Anna", "birth_date": "2006-02-03"},
            "guardians": [
                {"id": guardian, "family_name": "Verdi", "given_name": "Carla", "email": "c@example.org"}
            ],
        }
        answer = await http.post("/api/registry/enrolments", json=body, headers=headers)
        assert answer.status_code == 201
    return {"student": [answer.json()["student"]], "guardian": answer.json()["guardians"]}


@pytest.fixture
async def ground(registry: Registry) -> AsyncIterator[Ground]:
    await with_school(registry, OTHER_SCHOOL, "altra")
    cast = Cast()
    app = build_web(registry, cast)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE) as http:
        others = await enrol(http, registry, SCHOOL)
        await enrol(http, registry, OTHER_SCHOOL)
    row = await registry.store.pool.fetchrow(
        "select student, guardian from projections.guardianships_v1 where guardian <> all ($1) and school = $2",
        others["guardian"],
        SCHOOL,
    )
    assert row is not None
    accounts: dict[Role, tuple[str, str]] = {
        "guardian": (row["guardian"], row["guardian"]),
        "pupil": (row["student"], row["student"]),
    }
    yield Ground(
        app,
        registry.store.pool,
        SITE,
        SCHOOL,
        OTHER_SCHOOL,
        cast,
        PUBLIC,
        accounts,
        in_stride=IN_STRIDE,
        other_family=others,
        unfurnished=UNFURNISHED,
    )


@pytest.mark.requirement("M10", part="what nobody else may, nobody else gets")
async def test_nobody_gets_what_the_table_does_not_give_them(ground: Ground) -> None:
    assert await matrix.everything(ground) == ""
