"""Whoever lost their credentials finds no dead end: what the policy says, a request, a closed door (E6 M8)."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.engines import PostgresEngine
from shared.contracts.identity import AccountSuspended, LossReported, RegenerationRequested, ReportedBy
from shared.contracts.policy import EMAIL, PAPER
from tests.integration.identity_fixtures import SITE, World, identity_world
from tests.integration.test_identity_pins import confirm, inside, redeem
from tests.integration.test_identity_web import CHOSEN, SESSION, Browser, text_of


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield Browser(client, {})


@pytest.mark.requirement(
    "E6", part="whoever lost credentials reads what the school's policy says, and whom to ask"
)
async def test_a_stranger_to_this_device_finds_their_school(world: World, browser: Browser) -> None:
    await world.school(EMAIL)
    asked = await browser.get("/accesso/smarrite")
    assert 'name="scuola"' in asked.text and "segreteria" in text_of(asked)
    for odd in ("nessuna", "x" * 150, "%00", "../../etc", "https://evil.example/s/"):
        wrong = await browser.get(f"/accesso/smarrite?scuola={odd}")
        assert wrong.status_code in (200, 400, 422) and "Liceo di prova" not in wrong.text, odd
    assert "Nessuna scuola ha questo indirizzo" in text_of(
        await browser.get("/accesso/smarrite?scuola=nessuna")
    )
    found = await browser.get("/accesso/smarrite?scuola=http://localhost:8480/s/Liceo-Prova/?c=1")
    told = text_of(found)
    assert found.status_code == 200 and "Liceo di prova" in told and "casi eccezionali e motivati" in told
    assert "Genitori" in told and "Studenti" in told and "Personale della scuola" in told
    assert 'name="motivo"' not in found.text, "who is not signed in asks at the desk"
    again = text_of(await browser.get("/accesso/smarrite"))
    assert "Liceo di prova" in again, "and is remembered"


@pytest.mark.requirement(
    "E6", part="a signed-in holder asks with a motivation; who they are is checked before"
)
async def test_a_holder_asks_for_new_credentials(world: World, browser: Browser) -> None:
    account, _, _ = await inside(world, browser)
    page = text_of(await browser.get("/accesso/smarrite"))
    assert "Chieda nuove credenziali da qui" in page and "Studenti" not in page, "their own role's words only"
    for odd in ("", "   ", "a\x00b", "x" * 501):
        refused = await browser.post("/accesso/smarrite/richiesta", motivo=odd)
        assert refused.status_code == 422 and "non più di 500 caratteri" in text_of(refused)
    sent = await browser.post("/accesso/smarrite/richiesta", motivo="  Ho cambiato\n telefono ")
    assert (sent.status_code, sent.headers["location"]) == (303, "/accesso/smarrite?richiesta=si")
    assert "Richiesta inviata" in text_of(await browser.get(sent.headers["location"]))
    (said,) = await world.events(RegenerationRequested)
    assert (said.account, said.by, said.identity_check) == (account, ReportedBy.holder, None)
    assert said.motivation.value is not None and said.motivation.value.text == "Ho cambiato telefono"
    later = text_of(await browser.get("/accesso/smarrite"))
    assert "La sua richiesta del" in later and "è in attesa" in later and "Invia la richiesta" not in later
    twice = await browser.post("/accesso/smarrite/richiesta", motivo="Ancora")
    assert twice.status_code == 422 and "già una richiesta in corso" in text_of(twice)


async def test_a_holder_closes_their_access(world: World, browser: Browser) -> None:
    account, code, pin = await inside(world, browser)
    token = browser.cookies[SESSION]
    given = (await confirm(browser, pin)).headers["location"].rpartition("conferma=")[2]
    assert "nemmeno lei" in text_of(await browser.get("/accesso/smarrite/chiudi"))
    assert not await world.events(LossReported), "reading what it does changes nothing"
    closed = await browser.post("/accesso/smarrite/chiudi")
    assert closed.headers["location"] == "/accesso/smarrite?chiuso=si" and SESSION not in browser.cookies
    assert "Il suo accesso è chiuso" in text_of(await browser.get("/accesso/smarrite?chiuso=si"))
    assert [e.account for e in await world.events(LossReported)] == [account]
    assert [e.account for e in await world.events(AccountSuspended)] == [account]
    assert (await browser.post("/accesso/", codice=code, password=CHOSEN)).status_code == 422
    assert not await redeem(world, token, given), "what was confirmed before is worth nothing now"


async def test_asking_and_closing_are_for_the_signed_in(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    for path in ("richiesta", "chiudi"):
        refused = await browser.post(f"/accesso/smarrite/{path}", motivo="x")
        assert refused.headers["location"] == "/accesso/"
    await browser.post("/accesso/", codice=code, password=secret.password)
    foreign = await browser.client.post(
        "/accesso/smarrite/chiudi",
        headers={"Origin": "https://evil.example", "Cookie": f"{SESSION}={browser.cookies[SESSION]}"},
    )
    assert foreign.status_code == 403 and not await world.events(LossReported)
