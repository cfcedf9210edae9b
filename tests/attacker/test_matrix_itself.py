"""The matrix finds what it is there to find: a toy app with every fault, and rows to try it with."""

from typing import Annotated, Any

import asyncpg
import pytest
from fastapi import Depends, FastAPI

from shared.web.actions import Action, allowed
from shared.web.app import create_web_app
from shared.web.errors import Problem
from shared.web.sessions import Principal
from shared.web.settings import WebSettings
from shared.web.templating import Pages
from tests.attacker import matrix
from tests.attacker.matrix import Cast, Ground

SITE, OURS, THEIRS = "http://localhost:8480", "MIIS00100A", "RMIC00000X"
ROWS = {OURS: "slip-of-ours-000000001", THEIRS: "slip-of-theirs-00000001"}
Desk = Annotated[Principal, Depends(allowed(Action.see_deliveries))]


class Rows:
    """As a pool answers `ids_of`."""

    async def fetch(self, statement: str, *values: str) -> list[dict[str, Any]]:
        if "information_schema" in statement:
            return [{"place": "projections.slips_v1", "column_name": name} for name in ("school", "slip")]
        return [{"school": values[0], "slip": ROWS[values[0]]}]


def toy() -> tuple[FastAPI, Cast]:
    cast = Cast()
    settings = WebSettings(site_url=SITE)
    app = create_web_app("toy", settings=settings, pages=Pages("Prova"), introspector=cast)

    @app.get("/open")
    async def open_() -> str:
        return "to anybody"

    @app.get("/slips/{slip}")
    async def found(who: Desk, slip: str) -> str:
        if slip != ROWS[who.school]:
            raise Problem(404, "not-found", "")
        return slip

    @app.get("/leaks/{slip}")
    async def leaks(who: Desk, slip: str) -> str:
        if slip not in ROWS.values():
            raise Problem(404, "not-found", "")
        return slip

    @app.post("/tells/{slip}")
    async def tells(who: Desk, slip: str) -> str:
        raise Problem(409 if slip in ROWS.values() else 404, "taken", "")

    @app.post("/breaks")
    async def breaks(who: Desk) -> str:
        raise RuntimeError

    return app, cast


def ground(*public: tuple[str, str]) -> Ground:
    app, cast = toy()
    pool: asyncpg.Pool = Rows()  # type: ignore[assignment]
    return Ground(app, pool, SITE, OURS, THEIRS, cast, frozenset(public))


async def test_a_route_that_asks_nothing_is_found() -> None:
    assert await matrix.undeclared(ground()) == ["GET /open asks the table of actions nothing"]
    gone = await matrix.undeclared(ground(("GET", "/open"), ("GET", "/gone")))
    assert gone == ["GET /gone is no route"]


async def test_what_shows_or_tells_of_foreign_objects_is_found() -> None:
    faults = await matrix.foreign(ground(("GET", "/open")))
    assert {fault.split(" as ")[0] for fault in faults} == {"GET /leaks/{slip}", "POST /tells/{slip}"}
    assert {fault.split(" as ")[1].split(":")[0] for fault in faults} == {
        "administrator",
        "principal",
        "secretary",
    }


async def test_a_fault_of_the_servers_and_a_door_left_open_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ground(("GET", "/open"))
    assert {fault.split(" as ")[0] for fault in await matrix.own(made)} == {"POST /breaks"}
    assert await matrix.refused(made) == [] and await matrix.cross_site(made) == []
    monkeypatch.setattr("shared.web.security.SAFE_METHODS", frozenset({"GET", "POST"}))
    assert {fault.split(" with ")[0] for fault in await matrix.cross_site(made)} == {
        "POST /breaks",
        "POST /tells/{slip}",
    }
