"""The desk's pages in a real Chromium: a class of 25 on a phone and on a desk's screen, with axe."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, Response

from deploy.engines import NatsEngine, PostgresEngine
from shared.contracts.identity import AccountRole, FirstAccessCompleted, IssuanceRefused, RefusalReason
from shared.contracts.policy import EMAIL, PAPER, Channel
from shared.contracts.registry import Relationship, TeacherAssigned
from tests.browser_harness import BOTH, assert_accessible, browser_page, free_port, look, page_errors, served
from tests.integration.notifications_fixtures import YEAR, House, open_house
from tests.integration.notifications_web import Sessions, cookie, front

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


async def paper_class(house: House, families: Sequence[str] = FAMILIES) -> str:
    await house.school(PAPER)
    class_id = await house.form_class("1A")
    for n, family in enumerate(families):
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


async def test_a_class_of_25_on_paper(house: House) -> None:
    class_id = await paper_class(house)
    port, sessions = free_port(), Sessions()
    site = f"http://localhost:{port}"
    async with served(front(house, sessions, site), port), browser_page() as page:
        await signed_in(page, site, sessions.open("secretary"))
        await page.goto(f"{site}/consegne/")
        await look(page, "consegne-classi", BOTH)
        await page.get_by_role("link", name="Classe 1A").click()
        assert await page.locator("tbody tr").count() == 66
        await look(page, "consegne-classe", BOTH)
        await page.get_by_role("link", name="Non emessa: 3").click()
        assert await page.locator("tbody tr").count() == 3
        await look(page, "consegne-classe-non-emesse", BOTH)
        await page.goto(f"{site}/consegne/classi/{class_id}")
        assert (await printed(page, "Stampa 57 tagliandi")).headers["custode-slips"] == "57"
        await page.goto(f"{site}/consegne/classi/{class_id}")
        await page.get_by_label("Abate Marta").check()
        await page.get_by_label("Ritiro allo sportello").check()
        await page.get_by_role("button", name="Stampa i tagliandi selezionati").click()
        await page.get_by_role("heading", name="Perché si ristampa?").wait_for()
        await look(page, "consegne-motivo", BOTH)
        await page.get_by_label("Tagliando smarrito").check()
        assert (await printed(page, "Ristampa il tagliando")).headers["custode-slips"] == "1"
        assert [e for e in page_errors(page) if not e.startswith("Failed to load resource")] == []


async def test_a_class_by_mail(house: House) -> None:
    class_id = await mail_class(house)
    port, sessions = free_port(), Sessions()
    site = f"http://localhost:{port}"
    async with served(front(house, sessions, site), port), browser_page() as page:
        await signed_in(page, site, sessions.open("principal"))
        await page.goto(f"{site}/consegne/classi/{class_id}")
        await look(page, "consegne-posta", BOTH)
        await page.get_by_role("link", name="La casella non esiste").first.click()
        await page.get_by_role("heading", name="Che cosa si può fare").wait_for()
        await look(page, "consegne-titolare", BOTH)
        await page.get_by_role("link", name="Dettagli del recapito").first.click()
        await page.locator("table").first.wait_for()
        await look(page, "consegne-recapito", BOTH)
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


async def printed_class(house: House, site: str, token: str) -> str:
    """1A, small and all of it printed; taught by who signs in."""
    class_id = await paper_class(house, ("Abate", "Villa", "Conti", "Zanetti"))
    await house.tell(TeacherAssigned(teacher="person-desk", class_id=class_id))
    headers = {"Cookie": cookie(token), "Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(base_url=site, headers=headers, timeout=60) as desk:
        assert (await desk.post(f"/consegne/classi/{class_id}/tagliandi")).status_code == 200
    return class_id


@pytest.mark.requirement("P5", part="on a phone, without a script")
async def test_a_teacher_hands_over_with_a_phone(house: House) -> None:
    port, sessions = free_port(), Sessions()
    site = f"http://localhost:{port}"
    teacher = sessions.open("teacher", account="account-teacher")
    async with served(front(house, sessions, site), port), browser_page(360, 800, javascript=False) as page:
        class_id = await printed_class(house, site, sessions.open("secretary"))
        await signed_in(page, site, teacher)
        await page.get_by_role("link", name="Classe 1A").click()
        await look(page, "consegna-classe")
        await page.get_by_role("button", name="Registra la consegna").click()
        await page.get_by_role("heading", name="C’è qualcosa da correggere").wait_for()
        await assert_accessible(page)
        for name in ("Abate Aurora", "Abate Marta"):
            await page.get_by_role("checkbox", name=re.compile(f"^{name} ")).check()
        await page.get_by_role("button", name="Registra la consegna").click()
        await page.get_by_text("Consegna registrata per 2 fogli").wait_for()
        await assert_accessible(page)
        slip = await house.store.pool.fetchval(
            "select d.delivery from projections.deliveries_v1 d join projections.guardians_v1 g"
            " on g.guardian = d.holder where g.family_name = 'Zanetti' and g.given_name = 'Marta'"
        )
        await page.goto(f"{site}/consegne/consegna/{slip}")
        await look(page, "consegna-scansione")
        await page.get_by_role("button", name="Consegnato").click()
        await page.get_by_text("all’alunno, brevi manu").wait_for()
        await page.get_by_role("link", name="Segna come non consegnato").click()
        await page.get_by_label("Motivo").fill("foglio della persona sbagliata")
        await assert_accessible(page)
        await page.get_by_role("button", name="Segna come non consegnato").click()
        await page.get_by_role("button", name="Consegnato").wait_for()
        await page.goto(f"{site}/consegne/classi/{class_id}")
        await page.get_by_text("Il suo profilo non consente").wait_for()


@pytest.mark.requirement("M7", part="the desk by keyboard")
async def test_the_desk_finds_chooses_and_settles_by_keyboard(house: House) -> None:
    port, sessions = free_port(), Sessions()
    site = f"http://localhost:{port}"
    async with served(front(house, sessions, site), port), browser_page(1280, 900) as page:
        token = sessions.open("secretary")
        class_id = await printed_class(house, site, token)
        row = await house.store.pool.fetchrow(
            "select a.account, a.credential from projections.accounts_v1 a join projections.guardians_v1 g"
            " on g.guardian = a.holder where g.family_name = 'Villa' and g.given_name = 'Paolo'"
        )
        assert row is not None
        await house.tell(FirstAccessCompleted(account=row["account"], credential=row["credential"]))
        await signed_in(page, site, token)
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Vai al contenuto"
        await page.keyboard.press("Enter")
        await page.get_by_label("Cerca una persona o una classe").focus()
        await page.keyboard.type("vil pao")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Villa Paolo").wait_for()
        await look(page, "consegne-ricerca")
        await page.get_by_label("Cerca una persona o una classe").fill("zanetti")
        await page.get_by_role("link", name="Zanetti Marta").first.wait_for()
        await page.get_by_role("link", name="Zanetti Marta").first.focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Zanetti Marta").wait_for()
        await look(page, "consegne-titolare-carta")
        await page.goto(f"{site}/consegne/classi/{class_id}")
        await page.get_by_role("link", name="Seleziona tutti quelli in elenco").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Consegna i tagliandi selezionati").focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("fogli da consegnare").wait_for()
        assert await page.get_by_role("checkbox", checked=True).count() == 6
        await page.goto(f"{site}/consegne/avvisi")
        await look(page, "consegne-avvisi")
        await page.get_by_label("Che cosa si è accertato o fatto").focus()
        await page.keyboard.type("era il padre: consegnato a mano dal coordinatore")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_text("Avviso chiuso").wait_for()
        assert [e for e in page_errors(page) if not e.startswith("Failed to load resource")] == []
