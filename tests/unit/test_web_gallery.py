"""The design system in a real Chromium: phone and desk, with and without JavaScript, every language's direction."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from shared.web.settings import WebSettings
from tests.browser_harness import (
    BOTH,
    assert_accessible,
    browser_page,
    free_port,
    look,
    page_errors,
    screenshot,
    served,
)
from tests.gallery.app import SECRET, gallery

pytestmark = pytest.mark.browser
PAGES = {
    "classe": "/galleria",
    "accesso": "/galleria/modulo",
    "conferma": "/galleria/conferma",
    "vuota": "/galleria/vuota",
    "rifiuto": "/galleria/rifiuto",
    "api": "/galleria/api/",
}


@pytest.fixture
async def site() -> AsyncIterator[str]:
    port = free_port()
    app = gallery(WebSettings(site_url=f"http://localhost:{port}", instance="galleria"))
    async with served(app, port) as origin:
        yield origin


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_every_part_is_accessible(site: str, javascript: bool) -> None:
    async with browser_page(javascript=javascript) as page:
        for name, path in PAGES.items():
            await page.goto(site + path)
            await look(page, f"{name}-{'script' if javascript else 'no-script'}", BOTH)
        refused = [error for error in page_errors(page) if "409 (Conflict)" not in error]
        assert refused == []


async def test_an_inaccessible_page_is_noticed(site: str) -> None:
    async with browser_page(javascript=False) as page:
        await page.route(
            "**/galleria", lambda route: route.fulfill(body="<img src=x><p>a", content_type="text/html")
        )
        await page.goto(site + "/galleria")
        with pytest.raises(AssertionError, match="image-alt"):
            await assert_accessible(page)


async def test_a_page_wider_than_a_phone_is_noticed(site: str) -> None:
    async with browser_page() as page:
        body = "<html lang=it><title>a</title><main><h1>a</h1><hr width=900>"
        await page.route("**/galleria", lambda route: route.fulfill(body=body, content_type="text/html"))
        await page.goto(site + "/galleria")
        with pytest.raises(AssertionError, match="wider than the screen"):
            await assert_accessible(page)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_a_sign_in_goes_wrong_then_right(site: str, javascript: bool) -> None:
    """Form, error summary, cookie over plain http on localhost, signed-in page, sign-out button."""
    async with browser_page(javascript=javascript) as page:
        await page.goto(site + "/galleria/modulo")
        await page.get_by_label("Codice utente").fill("ABCD2345")
        await page.get_by_label("Password", exact=True).fill("sbagliata")
        await page.get_by_role("button", name="Accedi").click()
        summary = page.get_by_role("alert")
        await expect(summary).to_be_focused()
        await summary.get_by_role("link").click()
        field = page.get_by_label("Password", exact=True)
        await expect(field).to_be_focused()
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(re.compile("non corrispondono"))
        await assert_accessible(page)
        await screenshot(page, f"accesso-errore-{'script' if javascript else 'no-script'}")
        await page.get_by_label("Codice utente").fill("ABCD2345")
        await field.fill(SECRET)
        await page.get_by_role("button", name="Accedi").click()
        await expect(page).to_have_url(site + "/galleria/segreta")
        await expect(page.get_by_role("button", name="Esci")).to_be_visible()


async def test_a_password_can_be_shown_and_hidden_again(site: str) -> None:
    async with browser_page() as page:
        await page.goto(site + "/galleria/modulo")
        field = page.get_by_label("Password", exact=True)
        await page.get_by_role("button", name="Mostra").click()
        await expect(field).to_have_attribute("type", "text")
        await expect(page.get_by_text("La password è visibile")).to_be_attached()
        await assert_accessible(page)
        await page.get_by_role("button", name="Nascondi").click()
        await expect(field).to_have_attribute("type", "password")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_the_language_is_switched_in_the_header_and_remembered(site: str, javascript: bool) -> None:
    async with browser_page(javascript=javascript) as page:
        await page.goto(site + "/galleria/vuota")
        await page.locator("header summary").click()
        await screenshot(page, f"lingue-{'script' if javascript else 'no-script'}")
        await page.get_by_role("banner").get_by_role("link", name="English").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await page.goto(site + "/galleria")
        await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_menus_close_with_escape_and_give_the_focus_back(site: str) -> None:
    async with browser_page() as page:
        await page.goto(site + "/galleria/vuota")
        summary = page.locator("header summary")
        await summary.click()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Escape")
        await expect(page.locator("header details")).not_to_have_attribute("open", "")
        await expect(summary).to_be_focused()


async def test_the_keyboard_reaches_the_content_first(site: str) -> None:
    async with browser_page(width=1280) as page:
        await page.goto(site + "/galleria/vuota")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Vai al contenuto")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()


async def test_on_a_phone_a_table_is_still_a_table_to_a_screen_reader(site: str) -> None:
    async with browser_page(width=360) as page:
        await page.goto(site + "/galleria")
        table = page.get_by_role("table", name="Alunni e stato delle credenziali")
        await expect(table.get_by_role("row")).to_have_count(6)
        await expect(table.get_by_role("rowheader", name="Costa, Leonardo")).to_be_visible()
        await expect(table.get_by_role("columnheader", name="Stato")).to_have_count(1)


ARABIC = """msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\nLanguage: ar\\n"

msgid "Esci"
msgstr "خروج"

msgid "Vai al contenuto"
msgstr "انتقل إلى المحتوى"

msgid "Registro elettronico"
msgstr "السجل الإلكتروني"

msgid "Errore:"
msgstr "خطأ:"

msgid "Precedente"
msgstr "السابق"
"""


@pytest.mark.parametrize("width", [360, 1280])
async def test_arabic_mirrors_the_page(tmp_path: Path, width: int) -> None:
    (tmp_path / "ar.po").write_text(ARABIC, "utf-8")
    port = free_port()
    settings = WebSettings(site_url=f"http://localhost:{port}", instance="galleria")
    async with (
        served(gallery(settings, translations=[tmp_path]), port) as site,
        browser_page(width=width) as page,
    ):
        await page.goto(site + "/galleria?lang=ar")
        await expect(page.locator("html")).to_have_attribute("dir", "rtl")
        await assert_accessible(page)
        await screenshot(page, f"classe-{width}-arabo")
        heading = await page.get_by_role("heading", level=1).bounding_box()
        assert heading is not None
        assert heading["x"] + heading["width"] > width * 0.9


async def _post_from(page: Page, action: str) -> int:
    """The status of a form that the page at hand posts to `action`."""
    async with page.expect_response(lambda response: response.request.method == "POST") as caught:
        await page.evaluate(
            """action => { const form = document.createElement('form'); form.method = 'post';
            form.action = action; document.body.append(form); form.submit(); }""",
            action,
        )
    return (await caught.value).status


async def test_a_real_browser_on_another_site_changes_nothing(site: str) -> None:
    async with browser_page() as page:
        body = "<title>esca</title>"
        await page.route("http://evil.localhost/", lambda r: r.fulfill(body=body, content_type="text/html"))
        await page.goto("http://evil.localhost/")
        assert await _post_from(page, site + "/galleria/uscita") == 403
        await expect(page.get_by_role("heading", name="Operazione non consentita")).to_be_visible()


async def test_a_name_that_is_not_the_site_s_shows_nothing_of_it(site: str) -> None:
    async with browser_page() as page:
        await page.goto(site.replace("localhost", "127.0.0.1") + "/galleria")
        await expect(page.get_by_text("Questo non è l’indirizzo del sito")).to_be_visible()
