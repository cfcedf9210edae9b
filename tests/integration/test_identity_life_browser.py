"""The desk's pages of a credential in a real Chromium, on a phone without JavaScript and at the desk (E6, P9)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.operations import NewStaffMember, add_staff
from shared.contracts.identity import AccountRole, StaffRole
from shared.contracts.registry import EnrolmentKind
from shared.ids import new_id
from shared.web.settings import WebSettings
from tests.browser_harness import browser_page, free_port, look, page_errors, served
from tests.integration.identity_fixtures import SCHOOL, World, enrolled, identity_world, linked
from tests.integration.test_identity_life_pages import EMAIL_LAX, PAPER_LAX, WHY
from tests.integration.test_identity_web import CHOSEN

pytestmark = pytest.mark.browser


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


async def sign_in(world: World, page: Page, site: str) -> None:
    member = NewStaffMember(SCHOOL, (StaffRole.secretary,), "Ada", "Neri", CHOSEN, True)
    code = await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    await page.goto(f"{site}/accesso/")
    await page.get_by_label("Codice utente").fill(code)
    await page.get_by_label("Password", exact=True).fill(CHOSEN)
    await page.get_by_role("button", name="Accedi", exact=True).click()
    await page.wait_for_url("**/consegne/")


async def test_a_request_is_written_down_and_denied(world: World, site: str) -> None:
    await world.school(EMAIL_LAX)
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(guardian, pupil))
    account = account_id(AccountRole.guardian, guardian)
    async with browser_page(width=360, javascript=False) as page:
        await sign_in(world, page, site)
        await page.goto(f"{site}/accesso/sportello/credenziali/{account}")
        await look(page, "identity-life-card")
        await page.get_by_role("link", name="Registra una richiesta di rigenerazione").click()
        await look(page, "identity-life-ask")
        await page.get_by_label("Motivo").fill(WHY)
        await page.get_by_role("button", name="Registra la richiesta").click()
        await page.get_by_role("link", name="Indichi come ha riconosciuto la persona.").wait_for()
        await look(page, "identity-life-ask-wrong")
        await page.get_by_label("Come ha riconosciuto la persona").select_option("identity_document")
        await page.get_by_role("button", name="Registra la richiesta").click()
        await page.wait_for_url("**/accesso/sportello/richieste/*")
        await look(page, "identity-life-request")
        await page.goto(f"{site}/accesso/sportello/richieste")
        await look(page, "identity-life-requests")
        await page.get_by_role("link", name="Decidi").click()
        await page.get_by_role("link", name="Respingi").click()
        await look(page, "identity-life-deny")
        await page.get_by_label("Motivo", exact=True).fill("Non è un caso eccezionale")
        await page.get_by_role("button", name="Respingi la richiesta").click()
        await page.get_by_text("Richiesta respinta").wait_for()
        await look(page, "identity-life-denied")
        await page.goto(f"{site}/accesso/sportello/credenziali/{account}")
        await page.get_by_text("La richiesta è stata respinta.").wait_for()
        await page.set_viewport_size({"width": 1280, "height": 900})
        await look(page, "identity-life-history")
        assert not [e for e in page_errors(page) if "404" not in e and "422" not in e]


@pytest.mark.requirement("P9", part="at the desk, without JavaScript, to where it is printed")
async def test_a_pupil_is_separated_with_a_few_keys(world: World, site: str) -> None:
    await world.school(PAPER_LAX)
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil, EnrolmentKind.continuing), linked(guardian, pupil))
    account = account_id(AccountRole.pupil, pupil)
    async with browser_page(width=1280, javascript=False) as page:
        await sign_in(world, page, site)
        await page.goto(f"{site}/accesso/sportello/credenziali/{account}")
        await look(page, "identity-life-refused")
        await page.get_by_role("link", name="Separa da quelle del genitore").press("Enter")
        await look(page, "identity-life-separate")
        await page.get_by_label("Come ha riconosciuto la persona").press("D")
        await page.get_by_role("button", name="Separa e vai alla stampa").press("Enter")
        await page.wait_for_url(f"**/consegne/titolari/{account}*")
        assert (await world.issued(account)).channel.value == "slip"
