"""What people see, in a real Chromium: every page of the two stories that docs/school.md shows, checked with axe.

`make pictures` puts the pictures into docs/images/school; otherwise they stay in build/screenshots.
"""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from deploy.demo.memory import Key
from shared.contracts.identity import AccountRole, StaffRole
from tests.acceptance.installation import Installation, School, account_of
from tests.acceptance.people import at_the_desk, first_access, printed_keys, teacher_of
from tests.browser_harness import PICTURED, assert_accessible, browser_page, page_errors, screenshot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]
PICTURES = Path(__file__).parents[2] / "docs" / "images" / "school"
PHONE, SCREEN = 360, 1280
_FAMILIES = (("Abate", "Nina"), ("De Luca", "Tommaso"), ("Popescu", "Andrei"), ("Zanetti", "Viola"))


@dataclass
class World:
    school: School
    class_id: str
    mother: Key
    account: str
    guardian: str
    teacher: Key
    desk: Key
    principal: Key


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(installation: Installation) -> AsyncIterator[World]:
    school = await installation.school("paper")
    done = {}
    for family, given in _FAMILIES:
        pupil = school.pupil(family_name=family, given_name=given)
        done = await school.enrol(pupil, school.guardian(family_name=family, given_name="Rosa"))
    await school.happened("DeliveryRequested", 2 * len(_FAMILIES))
    keys = await printed_keys(school)
    account = account_of(AccountRole.guardian, done["guardians"][0])
    class_id = await school.class_id()
    teacher = await teacher_of(school, class_id)
    mother = await first_access(school, keys[account])
    async with at_the_desk(school) as desk:
        opens = datetime.now(UTC) + timedelta(days=2)
        plan = {"title": "Classi prime", "roles": ["guardian"], "opens": opens.isoformat()}
        await desk.say("/api/notifications/campaigns", plan)
    await school.happened("CampaignPlanned", 1)
    principal = await installation.staff(school.code, StaffRole.principal)
    yield World(
        school,
        class_id,
        mother,
        account,
        done["guardians"][0],
        teacher,
        await school.secretary(),
        principal,
    )


async def _enter(page: Page, world: World, key: Key) -> None:
    site = world.school.installation.site
    await page.goto(f"{site}/accesso/")
    await page.fill("[name=codice]", key.user_code)
    await page.fill("[name=password]", key.password)
    await page.click("main form [type=submit]")
    await page.wait_for_load_state()


async def _seen(page: Page, world: World, path: str, name: str, width: int) -> None:
    """Opened, free of faults for axe and the console, and pictured."""
    answer = await page.goto(f"{world.school.installation.site}{path}")
    assert answer is not None and answer.status == 200, f"{path}: {answer and answer.status}"
    await assert_accessible(page)
    assert not page_errors(page), f"{path}: {page_errors(page)}"
    picture = await screenshot(page, f"school-{name}-{width}")
    if picture and width == SHOWN.get(name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, PICTURES / f"{name}.png")


ALL = PICTURED
"""Then each page at both widths; else those of the desk on a screen and the others on a phone: each service's own tests
look at its pages at both."""
SHOWN = {
    "regola": SCREEN,
    "importa": SCREEN,
    "campagna": SCREEN,
    "classe": SCREEN,
    "consegna": PHONE,
    "famiglia": PHONE,
    "titolare": SCREEN,
}
"""The pictures of docs/school.md, and how wide each is."""


@pytest.mark.parametrize("width", [PHONE, SCREEN] if ALL else [SCREEN])
async def test_what_the_desk_sees(world: World, width: int) -> None:
    pages = {
        "classi": "/consegne/",
        "classe": f"/consegne/classi/{world.class_id}",
        "titolare": f"/consegne/titolari/{world.account}",
        "credenziali": f"/accesso/sportello/credenziali/{world.account}",
        "persona": f"/registro/sportello/persone/{world.guardian}",
        "richieste": "/accesso/sportello/richieste",
        "campagna": "/consegne/campagne",
        "circolari": "/consegne/circolari",
        "nuova-circolare": "/consegne/circolari/nuova",
        "testi": "/consegne/testi",
        "avvisi": "/consegne/avvisi",
        "segnalazioni": "/registro/sportello/segnalazioni",
        "caselle": "/registro/sportello/caselle",
        "incarichi": "/registro/sportello/incarichi",
        "importa": "/registro/sportello/importa",
        "cerca": "/consegne/cerca?q=zan",
    }
    async with browser_page(width=width, height=900) as page:
        await _enter(page, world, world.desk)
        for name, path in pages.items():
            await _seen(page, world, path, name, width)


@pytest.mark.parametrize("width", [PHONE, SCREEN] if ALL else [PHONE])
async def test_what_principal_teacher_and_family_see(world: World, width: int) -> None:
    async with browser_page(width=width, height=900) as page:
        await _enter(page, world, world.principal)
        await _seen(page, world, "/registro/sportello/regola", "regola", width)
    async with browser_page(width=width, height=900) as page:
        await _enter(page, world, world.teacher)
        await _seen(page, world, "/consegne/consegna", "mie-classi", width)
        await _seen(page, world, f"/consegne/classi/{world.class_id}/consegna", "consegna", width)
    async with browser_page(width=width, height=900) as page:
        await _enter(page, world, world.mother)
        await _seen(page, world, "/registro/", "famiglia", width)
        await _seen(page, world, "/accesso/il-mio-accesso", "mio-accesso", width)
        await _seen(page, world, "/accesso/sessioni", "sessioni", width)
        await _seen(page, world, "/circolari/", "circolari-famiglia", width)
        await _seen(page, world, "/accesso/smarrite", "smarrite", width)
        await _seen(page, world, "/accesso/il-mio-accesso?lang=ar", "mio-accesso-ar", width)
