"""A holder's own access in a real Chromium: first access in one sitting on a phone, PIN, confirmation, loss (E2 E5 M14)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from deploy.engines import PostgresEngine
from shared.web.confirmation import Purpose, confirmation_url
from tests.browser_harness import BOTH, browser_page, look, page_errors
from tests.integration.identity_fixtures import World, identity_world
from tests.integration.test_identity_browser import CHOSEN, enter, site
from tests.integration.test_identity_pins import CHOSEN_PINS, PIN

__all__ = ["site"]
pytestmark = pytest.mark.browser


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


async def choose_password(page: Page, received: str) -> None:
    await page.get_by_label("Password ricevuta dalla scuola").fill(received)
    await page.get_by_label("Nuova password", exact=True).fill(CHOSEN)
    await page.get_by_label("Ripeta la nuova password").fill(CHOSEN)


@pytest.mark.requirement("E5", part="first access in one sitting, on a phone without JavaScript as at a desk")
@pytest.mark.parametrize(("width", "javascript"), [(360, False), (1280, True)])
async def test_first_access_in_one_sitting(world: World, site: str, width: int, javascript: bool) -> None:
    _, code, secret = await world.a_guardian(CHOSEN_PINS)
    async with browser_page(width=width, javascript=javascript) as page:
        await page.goto(f"{site}/s/liceo-prova")
        await enter(page, code, secret.password)
        await page.wait_for_url("**/accesso/cambio-password")
        if javascript:
            await _hints(page, secret.password)
        else:
            assert not await page.locator(".c-hints").is_visible(), (
                "hints that nobody would mark are not shown"
            )
        await choose_password(page, secret.password)
        await page.get_by_role("button", name="Cambia password").click()
        await page.wait_for_url("**/accesso/pin?*")
        await look(page, "identity-own-pin-first")
        for new in ("123456", PIN):
            await page.get_by_label("PIN", exact=True).fill(new)
            await page.get_by_label("Ripeta il PIN").fill(new)
            await page.get_by_role("button", name="Salva il PIN").click()
            if new != PIN:
                await page.get_by_role("heading", name="C’è qualcosa da correggere").wait_for()
                await look(page, "identity-own-pin-refused")
        await page.wait_for_url("**/registro/")
        await _own(page, site)
        await _confirm(page, site)
        await _lost(page, site)
        unforeseen = [e for e in page_errors(page) if "404" not in e and "422" not in e]
        assert not unforeseen


async def _hints(page: Page, received: str) -> None:
    async def met() -> list[str]:
        marked = await page.locator(".c-hints li[data-ok]").all()
        return [await one.get_attribute("data-rule") or "" for one in marked]

    assert await met() == []
    await page.get_by_label("Password ricevuta dalla scuola").fill(received)
    new = page.get_by_label("Nuova password", exact=True)
    await new.press_sequentially("aaaaaaaaaaaaaaaa")
    assert await met() == ["length", "other"]
    await new.fill(CHOSEN)
    assert await met() == ["length", "varied", "other"]
    await look(page, "identity-own-hints")
    await page.get_by_label("Ripeta la nuova password").fill(CHOSEN)
    assert await met() == ["length", "varied", "other", "same"]
    assert "Fatto:" in await page.locator(".c-hints li").first.inner_text()


async def _own(page: Page, site: str) -> None:
    await page.goto(f"{site}/accesso/il-mio-accesso")
    await look(page, "identity-own-page")
    await page.get_by_label("Lingua di pagine, e-mail e tagliandi").select_option("en")
    await page.get_by_role("button", name="Salva la lingua").click()
    await page.get_by_role("heading", name="My access").wait_for()
    await page.get_by_label("Language of pages, e-mails and slips").select_option("it")
    await page.get_by_role("button", name="Save the language").click()
    await page.get_by_text("Lingua cambiata").wait_for()
    await page.get_by_role("link", name="Cambia PIN").click()
    await look(page, "identity-own-pin-change")


async def _confirm(page: Page, site: str) -> None:
    back = "/registro/"
    await page.goto(f"{site}{confirmation_url(Purpose.justification_service, 'guardianship-1', back)}")
    await look(page, "identity-own-confirm")
    for guess in ("739205", PIN):
        await page.get_by_label("PIN", exact=True).fill(guess)
        await page.get_by_role("button", name="Conferma").click()
        if guess != PIN:
            await page.get_by_role("heading", name="C’è qualcosa da correggere").wait_for()
            await look(page, "identity-own-confirm-wrong")
    await page.wait_for_url("**/registro/?conferma=*")


async def _lost(page: Page, site: str) -> None:
    await page.goto(f"{site}/accesso/smarrite")
    await look(page, "identity-own-lost")
    await page.get_by_label("Motivo").fill("Ho cambiato telefono")
    await page.get_by_role("button", name="Invia la richiesta").click()
    await page.get_by_text("Richiesta inviata").wait_for()
    await page.get_by_role("link", name="Chiudi il mio accesso").click()
    await look(page, "identity-own-close")
    await page.get_by_role("button", name="Chiudi il mio accesso").click()
    await page.get_by_text("Il suo accesso è chiuso").wait_for()
    await look(page, "identity-own-closed")


@pytest.mark.requirement("M14", part="the family's pages, Arabic from right to left")
async def test_in_arabic_from_right_to_left(world: World, site: str) -> None:
    _, code, secret = await world.a_guardian(CHOSEN_PINS)
    async with browser_page() as page:
        await page.goto(f"{site}/s/liceo-prova?lang=ar")
        assert await page.locator("html").get_attribute("dir") == "rtl"
        label = page.locator("label[for=campo-codice]")
        box, field = await label.bounding_box(), await page.locator("#campo-codice").bounding_box()
        assert box is not None and field is not None
        assert abs(box["x"] + box["width"] - field["x"] - field["width"]) < 2, "labels begin at the right"
        await look(page, "identity-own-arabic-sign-in", BOTH)
        await page.locator("#campo-codice").fill(code)
        await page.locator("#campo-password").fill(secret.password)
        await page.locator("button[type=submit].btn").click()
        await page.wait_for_url("**/accesso/cambio-password")
        await look(page, "identity-own-arabic-change", BOTH)
        await page.goto(f"{site}/accesso/smarrite")
        await look(page, "identity-own-arabic-lost", BOTH)


async def test_the_other_languages(world: World, site: str) -> None:
    await world.a_guardian(CHOSEN_PINS)
    async with browser_page(width=360) as page:
        for tag in ("ro", "sq", "zh", "uk", "fr", "es"):
            await page.goto(f"{site}/s/liceo-prova?lang={tag}")
            assert await page.locator("html").get_attribute("lang") == tag
            await look(page, f"identity-own-sign-in-{tag}")
