"""The pages of access in a real Chromium: on a phone without JavaScript, and at the desk (P6 P7 E5)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page

from deploy.engines import PostgresEngine
from shared.contracts.policy import EMAIL, PAPER
from shared.web.settings import WebSettings
from tests.browser_harness import BOTH, browser_page, free_port, look, page_errors, served
from tests.integration.identity_fixtures import World, identity_world

pytestmark = pytest.mark.browser
CHOSEN = "tre gatti verdi sul tetto"


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def site(world: World) -> AsyncIterator[str]:
    port = free_port()
    here = WebSettings(site_url=f"http://localhost:{port}")
    world.parts = replace(world.parts, front=replace(world.parts.front, settings=here))
    async with served(world.parts.web(), port) as origin:
        yield origin


async def enter(page: Page, code: str, password: str) -> None:
    await page.get_by_label("Codice utente").fill(code)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Accedi", exact=True).click()


@pytest.mark.parametrize(("width", "javascript"), [(360, False), (1280, True)])
async def test_first_access_forced_change_and_sign_in_again(
    world: World, site: str, width: int, javascript: bool
) -> None:
    _, code, secret = await world.a_guardian(EMAIL)
    async with browser_page(width=width, javascript=javascript) as page:
        await page.goto(f"{site}/s/liceo-prova")
        await look(page, "identity-sign-in")
        await enter(page, code, "non è questa la password")
        await page.get_by_role("heading", name="Accesso non riuscito").wait_for()
        await look(page, "identity-sign-in-wrong")
        await enter(page, code, secret.password)
        await page.wait_for_url("**/accesso/cambio-password")
        await look(page, "identity-forced-change")
        await page.get_by_label("Password ricevuta dalla scuola").fill(secret.password)
        await page.get_by_label("Nuova password", exact=True).fill("passwordpassword")
        await page.get_by_label("Ripeta la nuova password").fill("passwordpassword")
        await page.get_by_role("button", name="Cambia password").click()
        await page.get_by_role("heading", name="C’è qualcosa da correggere").wait_for()
        await look(page, "identity-forced-change-refused")
        await page.get_by_label("Password ricevuta dalla scuola").fill(secret.password)
        await page.get_by_label("Nuova password", exact=True).fill(CHOSEN)
        await page.get_by_label("Ripeta la nuova password").fill(CHOSEN)
        await page.get_by_role("button", name="Cambia password").click()
        await page.wait_for_url("**/accesso/cambiata")
        await look(page, "identity-changed")
        await page.get_by_role("button", name="Esci").click()
        await page.wait_for_url("**/accesso/uscita")
        await look(page, "identity-signed-out")
        await page.get_by_role("link", name="Accedi di nuovo").click()
        await enter(page, code, secret.password)
        await page.get_by_role("heading", name="Accesso non riuscito").wait_for()
        await enter(page, code, CHOSEN)
        await page.wait_for_url("**/registro/")
        unforeseen = [e for e in page_errors(page) if "404" not in e and "422" not in e]
        assert not unforeseen


async def test_the_other_pages(world: World, site: str) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    async with browser_page() as page:
        await page.goto(f"{site}/s/liceo-prova")
        await page.get_by_role("link", name="Ho perso le credenziali").click()
        await look(page, "identity-lost", BOTH)
        await page.get_by_role("link", name="Torna all’accesso").click()
        await page.get_by_role("link", name="Cambia password").click()
        await look(page, "identity-change", BOTH)
        await page.goto(f"{site}/accesso/")
        await enter(page, code, secret.password)
        await page.get_by_role("heading", name="Le consigliamo di cambiare la password").wait_for()
        await look(page, "identity-advice", BOTH)
        await page.get_by_role("link", name="Cambia password").click()
        await look(page, "identity-change-signed-in", BOTH)
        await page.goto(f"{site}/accesso/cambio-password?lang=en")
        await look(page, "identity-change-english", BOTH)
        await page.goto(f"{site}/s/nessuna")
        await look(page, "identity-unknown-school", BOTH)
