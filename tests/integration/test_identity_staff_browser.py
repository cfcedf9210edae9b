"""Passkeys with Chromium's own virtual authenticator, a colleague's account, the list of sessions (M10)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from playwright.async_api import CDPSession, Page

from deploy.engines import PostgresEngine
from services.identity.operations import NewStaffMember, add_staff
from services.identity.passkeys import RelyingParty
from shared.contracts.event import Personal
from shared.contracts.identity import StaffRole
from shared.contracts.policy import PAPER
from shared.contracts.registry import StaffContact, StaffKind, StaffMemberAppointed
from shared.ids import new_id
from shared.web.settings import WebSettings
from tests.browser_harness import browser_page, free_port, look, page_errors, served
from tests.integration.identity_fixtures import SCHOOL, World, identity_world

pytestmark = pytest.mark.browser
CHOSEN = "tre gatti verdi sul tetto"


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def site(world: World) -> AsyncIterator[str]:
    port = free_port()
    here = f"http://localhost:{port}"
    front = replace(world.parts.front, settings=WebSettings(site_url=here))
    front.passkeys._party = RelyingParty.at(here)
    world.parts = replace(world.parts, front=front)
    async with served(world.parts.web(), port) as origin:
        yield origin


@asynccontextmanager
async def virtual_authenticator(page: Page, *, unlocks: bool = True) -> AsyncIterator[CDPSession]:
    """A phone that whoever sits there unlocks, or not."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    kind = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": unlocks,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": kind})
    yield session


async def a_colleague(world: World, *roles: StaffRole) -> str:
    member = NewStaffMember(SCHOOL, roles, "Ada", "Neri", CHOSEN, True)
    return await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")


async def appointed(world: World, family_name: str) -> str:
    person = new_id()
    details = StaffContact(family_name=family_name, given_name="Livia", email=None)
    event = StaffMemberAppointed(
        person=person, kind=StaffKind.teacher, details=Personal(person=person, value=details)
    )
    await world.hear("registry", (f"staff/{person}", event))
    return person


async def enter(page: Page, code: str, password: str) -> None:
    await page.get_by_label("Codice utente").fill(code)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Accedi", exact=True).click()


async def test_a_passkey_is_registered_and_opens_what_needs_it(world: World, site: str) -> None:
    await world.school(PAPER)
    code = await a_colleague(world, StaffRole.administrator, StaffRole.principal)
    async with browser_page(width=1280) as page:
        await page.goto(f"{site}/accesso/?next=/accesso/sportello/personale")
        await look(page, "identity-sign-in-with-passkey")
        await enter(page, code, CHOSEN)
        await page.wait_for_url("**/accesso/passkey?richiesta=si")
        await page.get_by_text("Per questo occorre la passkey").wait_for()
        await look(page, "identity-passkeys-none")
        # To look takes a DevTools session, and the end of one ends every virtual authenticator.
        async with virtual_authenticator(page):
            await page.get_by_label("Nome").fill("computer dell’ufficio")
            await page.get_by_label("La sua password").fill("non è questa la password")
            await page.get_by_role("button", name="Registra la passkey").click()
            await page.get_by_text("Per registrare una passkey scriva la password").wait_for()
            await page.get_by_label("La sua password").fill(CHOSEN)
            await page.get_by_role("button", name="Registra la passkey").click()
            await page.get_by_text("La prossima volta scelga").wait_for()
            await page.get_by_role("button", name="Esci").click()
            await page.wait_for_url("**/accesso/uscita")
            await page.goto(f"{site}/accesso/?next=/accesso/sportello/personale")
            await page.get_by_role("button", name="Accedi con la passkey").click()
            await page.wait_for_url("**/accesso/sportello/personale")
        await look(page, "identity-staff")
        await page.goto(f"{site}/accesso/passkey")
        await look(page, "identity-passkeys-one")
        await page.get_by_role("link", name="Togli computer dell’ufficio").click()
        await look(page, "identity-passkey-removal")
        await page.get_by_role("button", name="Togli la passkey").click()
        await page.get_by_text("È l’unica che ha").wait_for()
        await page.goto(f"{site}/accesso/sessioni")
        await page.get_by_text("con la passkey").wait_for()
        await look(page, "identity-sessions-passkey")
        assert [error for error in page_errors(page) if "403" not in error and "422" not in error] == []


async def test_who_does_not_unlock_their_phone_stays_outside(world: World, site: str) -> None:
    await world.school(PAPER)
    code = await a_colleague(world, StaffRole.secretary)
    async with browser_page() as page, virtual_authenticator(page, unlocks=False):
        await page.goto(f"{site}/accesso/?next=/accesso/passkey")
        await enter(page, code, CHOSEN)
        await page.get_by_label("Nome").fill("telefono")
        await page.get_by_label("La sua password").fill(CHOSEN)
        await page.get_by_role("button", name="Registra la passkey").click()
        await page.get_by_text("Registrazione annullata").wait_for()
        assert await world.pool.fetchval("select count(*) from private.passkeys") == 0


@pytest.mark.parametrize(("width", "javascript"), [(360, False), (1280, True)])
async def test_an_administrator_opens_changes_and_closes_an_account(
    world: World, site: str, width: int, javascript: bool
) -> None:
    await world.school(PAPER.model_copy(update={"staff_password_only_until": date(2999, 1, 1)}))
    code = await a_colleague(world, StaffRole.administrator)
    person = await appointed(world, "Bianchi")
    async with browser_page(width=width, javascript=javascript) as page:
        await page.goto(f"{site}/accesso/?next=/accesso/sportello/personale")
        await enter(page, code, CHOSEN)
        await page.get_by_role("link", name="Apri un account").click()
        await page.get_by_role("button", name="Apri l’account").click()
        await page.get_by_role("heading", name="C’è qualcosa da correggere").wait_for()
        await look(page, "identity-staff-opening")
        await page.get_by_label("Persona in servizio").select_option(person)
        await page.get_by_label("docente").check()
        await page.get_by_role("button", name="Apri l’account").click()
        await page.get_by_text("Account aperto").wait_for()
        await look(page, "identity-staff-password")
        given = await page.locator("#password-provvisoria").inner_text()
        new_code = await page.locator("#codice-utente").inner_text()
        await page.get_by_role("link", name="Torna al personale").click()
        await look(page, "identity-staff-list")
        assert given not in await page.content()
        await page.get_by_role("link", name="Apri Bianchi Livia").click()
        await page.get_by_label("docente").uncheck()
        await page.get_by_label("segreteria").check()
        await page.get_by_role("button", name="Salva i ruoli").click()
        await page.get_by_text("Ruoli cambiati").wait_for()
        await look(page, "identity-staff-member")
        await page.get_by_role("link", name="Chiudi l’account").click()
        await page.get_by_role("button", name="Chiudi l’account").click()
        await page.get_by_role("heading", name="C’è qualcosa da correggere").wait_for()
        await look(page, "identity-staff-closing")
        await page.get_by_label("Motivo").fill("ha cambiato scuola")
        await page.get_by_role("button", name="Chiudi l’account").click()
        await page.get_by_text("Account chiuso").wait_for()
        await page.goto(f"{site}/accesso/sessioni")
        await look(page, "identity-sessions")
        await page.get_by_role("button", name="Esci da tutti i dispositivi").click()
        await page.wait_for_url("**/accesso/uscita")
        await page.goto(f"{site}/accesso/")
        await enter(page, new_code, given)
        await page.get_by_role("heading", name="Accesso non riuscito").wait_for()
