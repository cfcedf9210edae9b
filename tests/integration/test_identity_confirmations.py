"""The confirmation step: what a code is good for, and that another service redeems it over the bus (E2)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI, Request

from deploy.engines import NatsEngine, PostgresEngine
from shared.contracts.identity import ActionConfirmed, ConfirmedBy
from shared.contracts.policy import EMAIL
from shared.messaging.bus import Bus
from shared.web.app import create_web_app
from shared.web.confirmation import (
    BusConfirmer,
    ConfirmationsUnavailable,
    Purpose,
    confirmation_url,
    confirmed,
)
from shared.web.settings import WebSettings
from shared.web.templating import Pages
from tests.integration.identity_fixtures import SITE, World, identity_world
from tests.integration.test_identity_pins import BACK, SUBJECT, code_in, confirm, inside, redeem
from tests.integration.test_identity_web import CHOSEN, SESSION, Browser


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield Browser(client, {})


@pytest.mark.requirement("E2", part="the PIN confirms what has consequences")
async def test_a_confirmation_is_good_once_for_this_session_and_this_thing(
    world: World, browser: Browser
) -> None:
    account, code, pin = await inside(world, browser)
    here = confirmation_url(Purpose.justify, SUBJECT, BACK)
    page = await browser.get(here)
    assert page.status_code == 200
    assert "Giustifica un’assenza" in page.text and 'inputmode="numeric"' in page.text
    given, token = code_in(await confirm(browser, f"{pin[:3]} {pin[3:]}")), browser.cookies[SESSION]

    another = Browser(browser.client, {})
    await another.post("/accesso/", codice=code, password=CHOSEN)
    assert not await redeem(world, another.cookies[SESSION], given), "another session of the same account"
    assert not await redeem(world, "x" * 43, given), "no session"
    assert not await redeem(world, token, given, purpose="justification_service"), "another purpose"
    assert not await redeem(world, token, given, subject="guardianship-2"), "another object"
    assert not await redeem(world, token, "A" * 43), "a code that nobody gave"
    assert await redeem(world, token, given)
    assert not await redeem(world, token, given), "once"

    late = code_in(await confirm(browser, pin))
    world.ahead = timedelta(minutes=5)
    assert not await redeem(world, token, late), "after five minutes"
    world.ahead = timedelta()
    twice = code_in(await confirm(browser, pin))
    assert sorted(await asyncio.gather(*(redeem(world, token, twice) for _ in range(8)))) == [False] * 7 + [
        True
    ]
    ended = code_in(await confirm(browser, pin))
    await browser.post("/accesso/uscita")
    assert not await redeem(world, token, ended), "the session is over"
    said = await world.events(ActionConfirmed)
    assert {(e.account, e.purpose, e.subject, e.by) for e in said} == {
        (account, "justify", SUBJECT, ConfirmedBy.pin)
    }
    assert len(said) == 4


@pytest.mark.parametrize(
    ("purpose", "subject", "back"),
    [
        ("erase-everything", SUBJECT, BACK),
        ("justify", "Rossi Mario", BACK),
        ("justify", "", BACK),
        ("justify", SUBJECT, "//evil.example/"),
        ("justify", SUBJECT, "https://evil.example/"),
        ("justify", SUBJECT, ""),
    ],
)
async def test_what_identity_has_no_words_for_is_not_confirmed(
    world: World, browser: Browser, purpose: str, subject: str, back: str
) -> None:
    _, _, pin = await inside(world, browser)
    query = f"scopo={quote(purpose)}&oggetto={quote(subject)}&next={quote(back)}"
    assert (await browser.get(f"/accesso/conferma?{query}")).status_code == 404
    form = {"scopo": purpose, "oggetto": subject, "next": back, "prova": pin}
    assert (await browser.post("/accesso/conferma", **form)).status_code == 404
    assert not await world.events(ActionConfirmed)


async def test_nobody_confirms_without_a_session_or_with_the_initial_password(
    world: World, browser: Browser
) -> None:
    _, code, secret = await world.a_guardian(EMAIL)
    here = confirmation_url(Purpose.justify, SUBJECT, BACK)
    asked = await browser.get(here)
    assert asked.status_code == 303 and asked.headers["location"].startswith(
        "/accesso/?next=/accesso/conferma"
    )
    await browser.post("/accesso/", codice=code, password=secret.password)
    assert (await browser.get(here)).headers["location"] == "/accesso/cambio-password"
    assert (await confirm(browser, secret.pin or "")).headers["location"] == "/accesso/cambio-password"
    assert not await world.events(ActionConfirmed)


@pytest.mark.requirement("E2", part="another service redeems a confirmation over the bus")
async def test_another_service_redeems_it_over_the_bus(
    postgres: PostgresEngine, folder: Path, nats_server: NatsEngine
) -> None:
    await nats_server.wipe("IDENTITY")
    seed = nats_server.seed_file("identity")
    async with identity_world(postgres, folder, nats_url=nats_server.url, seed=seed) as world:
        await world.parts.front.own.confirmations.serve(world.parts.runtime.bus)
        await (await world.parts.runtime.bus.connected()).flush()
        transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
        bus = Bus(nats_server.url, "registry", nats_server.seed_file("registry"))
        bus.start()
        await bus.connected()
        service = httpx.ASGITransport(_a_service(BusConfirmer(bus)), raise_app_exceptions=False)
        async with (
            httpx.AsyncClient(transport=transport, base_url=SITE) as client,
            httpx.AsyncClient(transport=service, base_url=SITE) as theirs,
        ):
            browser = Browser(client, {})
            _, _, pin = await inside(world, browser)
            api = {"purpose": "justify", "subject": SUBJECT, "proof": pin}
            answer = await browser.json("POST", "/api/identity/confirmations", api)
            assert answer.status_code == 201 and answer.json()["seconds"] == 300
            there = Browser(theirs, browser.cookies)
            assert (await there.get("/do", html=False)).json() is False
            assert (await there.get(f"/do?conferma={answer.json()['code']}", html=False)).json() is True
            assert (await there.get(f"/do?conferma={answer.json()['code']}", html=False)).json() is False
            assert (await there.get("/do?conferma=" + "B" * 43, html=False)).json() is False
            assert (await there.get("/do?conferma=%2e%2e", html=False)).json() is False
            with pytest.raises(ConfirmationsUnavailable):
                await BusConfirmer(Bus("nats://127.0.0.1:1", "registry", None)).redeem(
                    b"\0" * 32, "B" * 43, "justify", SUBJECT
                )
            await bus.close()
            down = await there.get("/do?conferma=" + "B" * 43, html=False)
            assert down.status_code == 503 and down.headers["retry-after"] == "5"


def _a_service(confirmer: BusConfirmer) -> FastAPI:
    app = create_web_app(
        "elsewhere", settings=WebSettings(site_url=SITE), pages=Pages("Altrove"), confirmer=confirmer
    )

    @app.get("/do")
    async def act(request: Request) -> bool:
        return await confirmed(request, Purpose.justify, SUBJECT)

    return app
