"""The desk's pages about people in a real Chromium: without JavaScript, at both widths, checked with axe (M3, E8, M9)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.registry.operations import Registry
from services.registry.settings import RegistrySettings
from services.registry.web import build_web
from shared.contracts.event import Context
from shared.contracts.registry import StaffKind
from tests.browser_harness import BOTH, assert_accessible, browser_page, free_port, look, page_errors, served
from tests.integration.registry_fixtures import SCHOOL, kek_file, opened, registry_settings, with_school
from tests.integration.test_registry_browser import COOKIE, entered
from tests.integration.test_registry_http import Signed

__all__ = ["kek_file", "registry_settings"]
DESK = "/registro/sportello"
EXPORT = "Email Address [Required],Employee ID\nanna@scuola.example,77\nprof@scuola.example,\n"


async def signed_in(signed: Signed, page: Any, person: str, role: Any) -> None:
    token = signed.sign_in(person, role)
    last = list(signed.principals)[-1]
    signed.principals[last] = replace(signed.principals[last], strong=True)
    cookie = {"name": COOKIE, "value": token, "domain": "localhost", "path": "/", "secure": True}
    await page.context.add_cookies([cookie])


@pytest.mark.browser
@pytest.mark.requirement("M3", part="at the desk, without JavaScript")
async def test_the_desk_acts_and_sees_what_it_did(
    registry_settings: RegistrySettings, kek_file: Path, tmp_path: Path
) -> None:
    port, signed = free_port(), Signed()
    settings = registry_settings.model_copy(update={"listen": f"localhost:{port}"})
    async with opened(settings, kek_file) as registry, browser_page(1280, 900, javascript=False) as page:
        await with_school(registry)
        known = await entered(registry)
        (carla, _), anna = known.guardians, known.student
        context = Context(actor="account-s1", correlation="c")
        lia = await registry.staffing.appoint(
            SCHOOL, kind=StaffKind.teacher, family_name="Neri", given_name="Lia", email=None, context=context
        )
        await registry.people.report_wrong_child(SCHOOL, carla, anna, note="mai vista", context=context)
        async with served(build_web(registry, signed), port) as site:
            await signed_in(signed, page, "s1", "secretary")
            await page.goto(f"{site}{DESK}/persone?q=verdi%20carla")
            await page.click("main table a")
            await page.click("text=Limita l’accesso ai dati")
            await page.click("button:has-text('Limita l’accesso ai dati')")
            assert "C’è qualcosa da correggere" in await page.inner_text("main")
            await assert_accessible(page)
            await page.select_option("[name=fondamento]", "court_order")
            await page.fill("[name=motivo]", "decreto 5/2026")
            await page.click("button:has-text('Limita l’accesso ai dati')")
            told = await page.inner_text("main")
            for text in (
                "Accesso limitato.",
                "Togli la limitazione",
                "decreto 5/2026",
                "il personale della scuola",
            ):
                assert text in told
            export = tmp_path / "utenti.csv"
            export.write_text(EXPORT)
            await page.goto(f"{site}{DESK}/caselle")
            await page.set_input_files("[name=file]", export)
            await page.click("text=Mostra che cosa succede")
            assert "1 casella viene attivata." in await page.inner_text("main")
            await assert_accessible(page)
            await page.click("text=Attiva le caselle")
            assert "1 casella attivata." in await page.inner_text("main")
            await looked_at(registry, page, site, carla, anna, lia)
            await signed_in(signed, page, carla, "guardian")
            await page.goto(f"{site}/registro/")
            assert "In attesa della segreteria" in await page.inner_text("main")
        assert all("422" in error for error in page_errors(page))


async def looked_at(registry: Registry, page: Any, site: str, carla: str, anna: str, lia: str) -> None:
    """Every other page of the desk about people, on a phone and on a wide screen."""
    pages = {
        "person": f"persone/{carla}",
        "pupil": f"persone/{anna}",
        "merge": f"persone/{carla}/unisci",
        "reports": "segnalazioni",
        "staff": "incarichi",
        "teacher": f"incarichi/{lia}",
    }
    for name, path in pages.items():
        answer = await page.goto(f"{site}{DESK}/{path}")
        assert answer.status == 200, path
        await look(page, f"registry-desk-{name}", BOTH)
