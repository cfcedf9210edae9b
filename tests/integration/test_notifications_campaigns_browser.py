"""The pages of campaigns and of sending again in a real Chromium, on a phone and on a desk's screen (E1, M8)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.bounces import Bounces
from services.notifications.return_paths import ReturnPaths
from shared.contracts.notifications import CampaignPlanned
from tests.browser_harness import browser_page, free_port, look, page_errors, served
from tests.integration.notifications_fixtures import House, open_house
from tests.integration.notifications_web import Sessions, front
from tests.integration.test_notifications_bounces import returned
from tests.integration.test_notifications_browser import signed_in
from tests.integration.test_notifications_campaigns import parents, run

pytestmark = pytest.mark.browser


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        opened.returns = ReturnPaths(b"k" * 32)
        await opened.school()
        yield opened


@pytest.mark.requirement("E1", part="desk")
async def test_a_campaign_is_planned_followed_and_paused(house: House) -> None:
    """Without JavaScript as with it; no axe violation at either width."""
    classes = [await house.form_class(title) for title in ("1A", "1B")]
    everybody = [g for class_id in classes for g in await parents(house, class_id, 3)]
    student = await house.pupil(classes[0], "Neri", "Ada")
    await house.guardian(student, "Neri", "Ugo", None)
    sessions = Sessions()
    port = free_port()
    site = f"http://localhost:{port}"
    async with served(front(house, sessions, site), port), browser_page(width=360, javascript=False) as page:
        await signed_in(page, site, sessions.open("secretary"))
        await page.goto(f"{site}/consegne/campagne/nuova")
        await page.click("text=Vedi a chi arriverà")
        assert "C’è qualcosa da correggere" in await page.inner_text("main")
        await page.fill("#campo-titolo", "Classi prime, settembre")
        await page.check("text=1A")
        await page.check("text=1B")
        await page.fill("#campo-giorno", datetime.now(UTC).date().isoformat())
        await page.fill("#campo-ritmo", "600")
        await look(page, "campagna-nuova")
        await page.click("text=Vedi a chi arriverà")
        main = await page.inner_text("main")
        assert "Genitori e tutori: 7" in main
        assert "1 persona è senza indirizzo" in main
        await look(page, "campagna-anteprima")
        await page.click("text=Programma la campagna")
        campaign = page.url
        (plan,) = await house.events(CampaignPlanned)
        assert isinstance(plan, CampaignPlanned)
        await run(house)
        for guardian in everybody:
            await house.issue(guardian)
        await run(house)
        assert house.returns is not None
        await Bounces(house.runtime.commands, house.returns).take(returned(house))
        await page.goto(campaign)
        assert "Tornate indietro" in await page.inner_text("main")
        await look(page, "campagna")
        await page.click("text=Metti in pausa")
        await look(page, "campagna-pausa")
        await page.fill("#campo-motivo", "Riunione con le classi prime")
        await page.click("button:has-text('Metti in pausa')")
        assert "In pausa" in await page.inner_text("main")
        async with browser_page(width=1280) as wide:
            await signed_in(wide, site, sessions.open("secretary"))
            for path, name in (
                ("/consegne/campagne", "campagne"),
                ("/consegne/campagne/nuova", "campagna-nuova"),
                (campaign.removeprefix(site), "campagna"),
                (f"{campaign.removeprefix(site)}/annullamento", "campagna-annullamento"),
                (f"/consegne/recapiti/{await first_delivery(house)}/reinvio", "reinvio"),
                (f"/consegne/recapiti/{await first_delivery(house)}", "recapito"),
            ):
                await wide.goto(f"{site}{path}")
                await look(wide, name)
            assert page_errors(wide) == []


async def first_delivery(house: House) -> str:
    return str(
        await house.store.pool.fetchval(
            "select delivery from projections.deliveries_v1 where status = 'bounced' limit 1"
        )
    )
