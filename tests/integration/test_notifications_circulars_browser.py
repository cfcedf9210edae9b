"""Circulars in a real Chromium: written at the desk, read by a family on a phone and by anybody on the public page."""

import pytest

from services.notifications.channels.email.notices import bodies_of
from shared.contracts.notifications import CircularPublished, CircularRead
from tests.browser_harness import browser_page, free_port, look, page_errors, screenshot, served
from tests.integration.notifications_web import front
from tests.integration.test_notifications_circulars import CUSTOMER, World, body, published, world
from tests.unit.test_email_notices import circular, reminder

pytestmark = pytest.mark.browser
__all__ = ["world"]


async def test_written_seen_beforehand_and_published_at_the_desk(world: World) -> None:
    port = free_port()
    site = f"http://localhost:{port}"
    office = world.sessions.open("secretary")
    async with (
        served(front(world.house, world.sessions, site), port),
        browser_page(1280, 900, javascript=True) as page,
    ):
        await page.goto(f"{site}/consegne/prova-ingresso?token={office}")
        await page.goto(f"{site}/consegne/circolari/nuova")
        await page.get_by_role("button", name="Vedi l’anteprima").click()
        await page.get_by_label("Oggetto").fill("Credenziali di accesso al registro elettronico")
        await page.get_by_label("Testo").fill(str(body()["text"]))
        await page.get_by_label("Firma").fill("La dirigente scolastica, Anna Neri")
        for label in ("Docenti", "Personale ATA", "Sito web"):
            await page.get_by_label(label).check()
        await look(page, "circolari-modulo")
        await page.get_by_role("button", name="Vedi l’anteprima").click()
        await page.wait_for_url("**/anteprima")
        await look(page, "circolari-anteprima")
        await page.get_by_role("button", name="Pubblica la circolare n. 1").click()
        await page.wait_for_url("**pubblicata=si")
        assert len(await world.house.events(CircularPublished)) == 1
        await look(page, "circolari-pubblicata")
        await page.get_by_role("link", name="Ritira").click()
        await look(page, "circolari-ritiro")
        await page.goto(f"{site}/consegne/circolari")
        await look(page, "circolari-elenco")
        await page.get_by_role("link", name="Testi e carta intestata").click()
        await look(page, "circolari-testi")
        await page.get_by_role("link", name="العربية").last.click()
        await page.get_by_label("Apertura").fill("{nome}, {scuola}")
        await page.get_by_role("button", name="Anteprima", exact=True).click()
        await look(page, "circolari-testo")
        assert [e for e in page_errors(page) if "422" not in e] == []


async def test_read_by_a_family_on_a_phone_without_javascript(world: World) -> None:
    await published(world)
    port = free_port()
    site = f"http://localhost:{port}"
    mother = world.sessions.open("guardian", person=world.people["irene"], account="account-irene")
    async with (
        served(front(world.house, world.sessions, site), port),
        browser_page(360, 800, javascript=False) as page,
    ):
        await page.goto(f"{site}/circolari/{CUSTOMER}/")
        await look(page, "circolari-pubbliche")
        await page.goto(f"{site}/consegne/prova-ingresso?token={mother}")
        await page.goto(f"{site}/circolari/")
        await look(page, "circolari-famiglia")
        await page.get_by_role("link", name="Credenziali per il registro").click()
        await look(page, "circolari-famiglia-circolare")
        assert len(await world.house.events(CircularRead)) == 1
        await page.get_by_role("link", name="Tutte le circolari").click()
        assert await page.get_by_text("Letta il").count() == 1
        await page.goto(f"{site}/circolari/?lang=ar")
        await look(page, "circolari-famiglia-ar")


async def test_the_messages_fit_every_screen() -> None:
    async with browser_page(360) as page:
        for width in (360, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            for name, mail in (("promemoria", reminder("it")), ("circolare", circular("ar"))):
                await page.set_content(bodies_of(mail).html)
                wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                assert wide <= 0
                await screenshot(page, f"messaggio-{name}-{width}")
