"""The desk's pages in a real Chromium: a class of 25 on a phone and on a desk's screen, with axe."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Response

from deploy.engines import NatsEngine, PostgresEngine
from shared.contracts.identity import AccountRole, FirstAccessCompleted, IssuanceRefused, RefusalReason
from shared.contracts.policy import EMAIL, PAPER, Channel
from shared.contracts.registry import Relationship
from tests.browser_harness import assert_accessible, browser_page, free_port, page_errors, screenshot, served
from tests.integration.notifications_fixtures import YEAR, House, open_house
from tests.integration.notifications_web import Sessions, front

pytestmark = pytest.mark.browser
FAMILIES = [
    "Abate",
    "Barbieri",
    "Bianchi",
    "Caruso",
    "Conti",
    "Costa",
    "De Luca",
    "Esposito",
    "Fabbri",
    "Ferrari",
    "Fontana",
    "Galli",
    "Gatti",
    "Greco",
    "Lombardi",
    "Longo",
    "Mancini",
    "Marchetti",
    "Marino",
    "Moretti",
    "Popescu",
    "Ricci",
    "Romano",
    "Villa",
    "Zanetti",
]


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


async def signed_in(page: Page, site: str, token: str) -> None:
    """Through a door of the tests' own: a `__Host-` cookie comes from a server, or not at all."""
    await page.goto(f"{site}/consegne/prova-ingresso?token={token}")


async def printed(page: Page, button: str) -> Response:
    """Presses it; the answer, which is a PDF."""
    async with page.expect_response(lambda r: r.url.endswith("/tagliandi")) as answer:
        await page.get_by_role("button", name=button).click()
    response = await answer.value
    assert response.headers["content-type"] == "application/pdf"
    return response


async def paper_class(house: House) -> str:
    await house.school(PAPER)
    class_id = await house.form_class("1A")
    for n, family in enumerate(FAMILIES):
        student = await house.pupil(class_id, family, ("Aurora", "Leonardo", "Giulia")[n % 3])
        parents = [
            (student, AccountRole.pupil),
            (await house.guardian(student, family, "Marta", None), AccountRole.guardian),
        ]
        if n % 3:
            father = await house.guardian(student, family, "Paolo", None, Relationship.father)
            parents.append((father, AccountRole.guardian))
        for holder, role in parents:
            account = await house.account(holder, role)
            if n == 4:
                await house.tell(
                    IssuanceRefused(
                        account=account, holder=holder, year=YEAR, reason=RefusalReason.no_account
                    )
                )
                continue
            await house.issue(holder, Channel.slip, role=role, exclusive=False, days=30)
            if n in (2, 7):
                credential = await house.credential_of(holder)
                await house.tell(FirstAccessCompleted(account=account, credential=credential))
    return class_id


async def mail_class(house: House) -> str:
    await house.school(EMAIL)
    class_id = await house.form_class("1B")
    answers = {0: "450 4.2.0 later", 1: "550 5.1.1 unknown"}
    house.mailbox.answer = lambda _, n: answers.get(n % 5, "250 OK")
    for n, family in enumerate(FAMILIES[:10]):
        student = await house.pupil(class_id, family, "Luca")
        address = None if n == 3 else f"famiglia{n}@example.org"
        mother = await house.guardian(student, family, "Irene", address)
        await house.account(mother)
        await house.issue(mother)
    postman = house.postman()
    while await postman.round():
        pass
    return class_id


@pytest.mark.parametrize(("width", "height"), [(360, 800), (1280, 900)])
async def test_a_class_of_25_on_paper(house: House, width: int, height: int) -> None:
    class_id = await paper_class(house)
    port, sessions = free_port(), Sessions()
    site = f"http://localhost:{port}"
    async with served(front(house, sessions, site), port), browser_page(width, height) as page:
        await signed_in(page, site, sessions.open("secretary"))
        await page.goto(f"{site}/consegne/")
        await assert_accessible(page)
        await screenshot(page, f"consegne-classi-{width}")
        await page.get_by_role("link", name="Classe 1A").click()
        assert await page.locator("tbody tr").count() == 66
        await assert_accessible(page)
        await screenshot(page, f"consegne-classe-{width}")
        await page.get_by_label("Stato").select_option("not_issued")
        await page.get_by_role("button", name="Filtra").click()
        assert await page.locator("tbody tr").count() == 3
        await assert_accessible(page)
        await page.goto(f"{site}/consegne/classi/{class_id}")
        assert (await printed(page, "Stampa 57 tagliandi")).headers["custode-slips"] == "57"
        await page.goto(f"{site}/consegne/classi/{class_id}")
        await page.get_by_label("Abate Marta").check()
        await page.get_by_label("Ritiro allo sportello").check()
        await page.get_by_role("button", name="Stampa i tagliandi selezionati").click()
        await page.get_by_role("heading", name="Perché si ristampa?").wait_for()
        await assert_accessible(page)
        await screenshot(page, f"consegne-motivo-{width}")
        await page.get_by_label("Tagliando smarrito").check()
        assert (await printed(page, "Ristampa il tagliando")).headers["custode-slips"] == "1"
        assert [e for e in page_errors(page) if not e.startswith("Failed to load resource")] == []


@pytest.mark.parametrize(("width", "height"), [(360, 800), (1280, 900)])
async def test_a_class_by_mail(house: House, width: int, height: int) -> None:
    class_id = await mail_class(house)
    port, sessions = free_port(), Sessions()
    site = f"http://localhost:{port}"
    async with served(front(house, sessions, site), port), browser_page(width, height) as page:
        await signed_in(page, site, sessions.open("principal"))
        await page.goto(f"{site}/consegne/classi/{class_id}")
        await assert_accessible(page)
        await screenshot(page, f"consegne-posta-{width}")
        await page.get_by_role("link", name="La casella non esiste").first.click()
        await (
            page.get_by_role("heading", name="Che cosa è stato fatto")
            .or_(page.locator("table"))
            .first.wait_for()
        )
        await assert_accessible(page)
        await screenshot(page, f"consegne-recapito-{width}")
        assert page_errors(page) == []


async def test_the_keyboard_and_no_script_are_enough(house: House) -> None:
    class_id = await paper_class(house)
    port, sessions = free_port(), Sessions()
    site = f"http://localhost:{port}"
    async with served(front(house, sessions, site), port), browser_page(1280, 900, javascript=False) as page:
        await signed_in(page, site, sessions.open("secretary"))
        await page.goto(f"{site}/consegne/classi/{class_id}?lang=en")
        await assert_accessible(page)
        assert await page.get_by_role("button", name="Print 57 slips").is_visible()
        first = page.get_by_label("Abate Aurora", exact=True)
        await first.focus()
        await page.keyboard.press("Space")
        assert await first.is_checked()
        await page.get_by_role("button", name="Print the selected slips").focus()
        async with page.expect_response(lambda r: r.url.endswith("/tagliandi")) as answer:
            await page.keyboard.press("Enter")
        assert (await answer.value).headers["custode-slips"] == "1"
