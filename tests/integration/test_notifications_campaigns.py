"""Campaigns from plan to completion: what waits, what leaves and how fast, what is told of it (E1)."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.bounces import Bounces
from services.notifications.conductor import Conductor
from services.notifications.projections import project
from services.notifications.return_paths import ReturnPaths
from shared.contracts.event import Event
from shared.contracts.identity import AccountRole, CredentialsRegenerated
from shared.contracts.notifications import (
    AlertKind,
    AlertRaised,
    CampaignCompleted,
    CampaignOpened,
    CampaignPlanned,
    EmailAccepted,
)
from shared.contracts.policy import Channel
from shared.database import AdvisoryLock
from shared.eventstore.rebuild import Rebuild
from tests.integration.notifications_fixtures import OTHER_SCHOOL, House, open_house
from tests.integration.notifications_web import Sessions, browser, front
from tests.integration.test_notifications_bounces import returned

PATH = "/api/notifications/campaigns"
YESTERDAY = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
GUARDIANS = {"title": "Prime classi", "roles": ["guardian"], "opens": YESTERDAY.isoformat()}


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        opened.returns = ReturnPaths(b"k" * 32)
        await opened.school()
        yield opened


def conductor(house: House) -> Conductor:
    lock = AdvisoryLock(house.settings.database_url.get_secret_value(), "conductor")
    return Conductor(house.runtime.commands, lock, house.now)


async def parents(house: House, class_id: str, many: int, domain: str = "posta.example") -> list[str]:
    """Guardians of a class, with accounts and nothing issued."""
    found = []
    for n in range(many):
        student = await house.pupil(class_id, f"Alunno{n:02}", "Prova")
        guardian = await house.guardian(student, f"Genitore{n:02}", "Prova", f"g{n}-{class_id[-6:]}@{domain}")
        await house.account(guardian)
        found.append(guardian)
    return found


async def run(house: House) -> None:
    """The conductor looks as often as it needs to; the postman works off what is due now."""
    postman, leading = house.postman(), conductor(house)
    for _ in range(3):
        await leading.look()
        while await postman.round():
            pass


async def planned(house: House, **more: object) -> str:
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary"), "application/json") as desk:
        answer = await desk.post(PATH, json=GUARDIANS | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["campaign"])


async def act(house: House, campaign: str, what: str, reason: str | None = None) -> int:
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("principal"), "application/json") as desk:
        body = {"reason": reason} if reason is not None else None
        return (await desk.post(f"{PATH}/{campaign}/{what}", json=body)).status_code


async def follow(house: House, campaign: str) -> dict[str, object]:
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary"), "application/json") as desk:
        return dict((await desk.get(f"{PATH}/{campaign}")).json())


@pytest.mark.requirement("E1", part="unattended")
async def test_it_opens_by_itself_and_completes_when_everybody_has_an_outcome(house: House) -> None:
    class_id = await house.form_class()
    everybody = await parents(house, class_id, 3)
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    campaign = await planned(house, opens=later)
    await run(house)
    assert await house.events(CampaignOpened) == []
    house.later = timedelta(days=3)
    await run(house)
    assert await house.events(CampaignOpened) == [CampaignOpened(campaign=campaign)]
    assert await house.events(CampaignCompleted) == [], "identity has not issued yet"
    for guardian in everybody[:2]:
        await house.issue(guardian)
    await run(house)
    seen = await follow(house, campaign)
    assert (seen["state"], seen["total"], seen["outcomes"]) == ("open", 3, {"sent": 2, "waiting": 1})
    await house.issue(everybody[2])
    await run(house)
    assert await house.events(CampaignCompleted) == [CampaignCompleted(campaign=campaign, sent=3, failed=0)]
    by_class = (await follow(house, campaign))["by_class"]
    assert by_class == [{"class_id": class_id, "title": "1A", "outcomes": {"sent": 3}}]


@pytest.mark.requirement("E1", part="pause")
async def test_what_was_issued_and_not_sent_waits_while_it_is_paused(house: House) -> None:
    first, second = await parents(house, await house.form_class(), 2)
    before = await house.issue(first)
    campaign = await planned(house)
    await run(house)
    assert await house.status(before) == "accepted", (
        "what was asked for before it was planned is none of its business"
    )
    delivery = await house.issue(second)
    assert await act(house, campaign, "pause", "indirizzi da rivedere") == 200
    await run(house)
    assert await house.status(delivery) == "requested"
    assert (await follow(house, campaign))["reason"] == "indirizzi da rivedere"
    assert await act(house, campaign, "resume") == 200
    await run(house)
    assert await house.status(delivery) == "accepted"


async def test_a_pause_stops_neither_another_class_nor_who_had_lost_theirs(house: House) -> None:
    covered, other = await house.form_class("1A"), await house.form_class("1B")
    (inside, lost), (outside,) = await parents(house, covered, 2), await parents(house, other, 1)
    campaign = await planned(house, classes=[covered])
    await act(house, campaign, "pause", "prova")
    waits, leaves = await house.issue(inside), await house.issue(outside)
    regenerated = CredentialsRegenerated(
        request="r", account=f"account-{lost}", credential="old", generation=2
    )
    await house.tell(regenerated)
    granted = await house.issue(lost, generation=2)
    await run(house)
    statuses = [await house.status(d) for d in (waits, leaves, granted)]
    assert statuses == ["requested", "accepted", "accepted"]


@pytest.mark.requirement("E1", part="pace")
async def test_no_domain_gets_more_than_its_share_of_a_minute_not_even_after_a_restart(house: House) -> None:
    class_id = await house.form_class()
    many = await parents(house, class_id, 5, "grande.example")
    few = await parents(house, await house.form_class("1B"), 1, "piccola.example")
    await planned(house, per_domain_a_minute=2)
    await run(house)
    for guardian in (*many, *few):
        await house.issue(guardian)

    def domains() -> Counter[str]:
        return Counter(to[0].rpartition("@")[2] for to, _ in house.mailbox.received)

    await run(house)
    assert domains() == {"grande.example": 2, "piccola.example": 1}
    await run(house)
    assert domains()["grande.example"] == 2, "another postman, the same minute"
    house.later = timedelta(seconds=61)
    await run(house)
    assert domains()["grande.example"] == 4
    house.later = timedelta(seconds=125)
    postman = house.postman()
    assert await postman.round()
    assert domains()["grande.example"] == 5
    assert len(await house.events(EmailAccepted)) == 6


@pytest.mark.requirement("E1", part="bounces")
async def test_more_than_five_in_a_hundred_that_come_back_raise_one_alert(house: House) -> None:
    everybody = await parents(house, await house.form_class(), 20)
    campaign = await planned(house)
    await run(house)
    for guardian in everybody:
        await house.issue(guardian)
    await run(house)
    assert house.returns is not None
    take = Bounces(house.runtime.commands, house.returns).take
    await take(returned(house, 0))
    await run(house)
    assert await house.events(AlertRaised) == [], "one in twenty is five in a hundred"
    await take(returned(house, 1))
    for _ in range(2):
        await run(house)
    (alert,) = await house.events(AlertRaised)
    assert isinstance(alert, AlertRaised)
    assert (alert.kind, alert.about) == (AlertKind.campaign_bounces, campaign)
    assert (await follow(house, campaign))["outcomes"] == {"sent": 18, "bounced": 2}


async def test_who_has_no_address_or_pupils_without_a_mailbox_are_told_beforehand(house: House) -> None:
    class_id = await house.form_class()
    await parents(house, class_id, 2)
    student = await house.pupil(class_id, "Neri", "Ada")
    await house.guardian(student, "Neri", "Ugo", None)
    barred = await house.guardian(student, "Neri", "Ivo", "ivo@posta.example", data_access=False)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary"), "application/json") as desk:
        body = GUARDIANS | {"roles": ["guardian", "pupil_under_age"]}
        seen = (await desk.post(f"{PATH}/preview", json=body)).json()
    assert barred
    assert seen == {
        "people": {"guardian": 3, "pupil_under_age": 3},
        "classes": 1,
        "without_address": 1,
        "without_mailbox": 3,
        "served": 0,
    }


async def test_a_pupil_who_waits_for_the_mailbox_keeps_it_open(house: House) -> None:
    student = await house.pupil(await house.form_class(), "Neri", "Ada")
    await house.account(student, AccountRole.pupil)
    campaign = await planned(house, roles=["pupil_under_age"])
    await run(house)
    assert (await follow(house, campaign))["outcomes"] == {"waiting": 1}
    await house.mailbox_activated(student, "ada.neri@scuola.example")
    await house.issue(student, Channel.institutional_mailbox, role=AccountRole.pupil)
    await run(house)
    assert (await follow(house, campaign))["state"] == "completed"


@pytest.mark.requirement("E1", part="resumed after a restart")
async def test_a_repeated_request_plans_once_and_a_cancelled_one_stays_cancelled(house: House) -> None:
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary"), "application/json") as desk:
        key = {"Idempotency-Key": "campagna-prime-2026"}
        ids = {(await desk.post(PATH, json=GUARDIANS, headers=key)).json()["campaign"] for _ in range(2)}
        assert len(ids) == 1
        other = await desk.post(PATH, json=GUARDIANS | {"title": "Altra"}, headers=key)
        assert other.status_code == 409
        (campaign,) = ids
        wrong = [GUARDIANS | {"roles": []}, GUARDIANS | {"roles": ["staff"]}, GUARDIANS | {"classes": ["x"]}]
        assert [(await desk.post(PATH, json=body)).status_code for body in wrong] == [422] * 3
        assert [one["campaign"] for one in (await desk.get(PATH)).json()] == [campaign]
    assert await act(house, campaign, "cancel", " ") == 422
    assert await act(house, campaign, "cancel", "si rifà") == 200
    assert await act(house, campaign, "resume") == 409
    await run(house)
    assert (await follow(house, campaign))["state"] == "cancelled"
    assert len(await house.events(CampaignPlanned)) == 1


async def test_it_exists_for_the_office_of_its_own_school_only(house: House) -> None:
    campaign = await planned(house)
    sessions = Sessions()
    app = front(house, sessions)
    for role in ("teacher", "guardian", "pupil", "auditor", "administrator"):
        async with browser(app, sessions.open(role), "application/json") as other:
            assert (await other.get(PATH)).status_code == 403
            assert (await other.post(f"{PATH}/{campaign}/resume")).status_code == 403
    async with browser(app, sessions.open("secretary", school=OTHER_SCHOOL), "application/json") as other:
        assert (await other.get(f"{PATH}/{campaign}")).status_code == 404
        assert (await other.post(f"{PATH}/{campaign}/pause", json={"reason": "x"})).status_code == 404
    async with browser(app, None, "application/json") as nobody:
        assert (await nobody.get(PATH)).status_code == 401


async def test_the_pages_plan_show_pause_and_cancel(house: House) -> None:
    class_id = await house.form_class()
    await parents(house, class_id, 2)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        assert "Nessuna campagna" in (await desk.get("/consegne/campagne")).text
        assert (await desk.get("/consegne/campagne/nuova")).status_code == 200
        wrong = await desk.post(
            "/consegne/campagne", data={"titolo": "", "giorno": "domani", "ritmo": "molte"}
        )
        assert wrong.status_code == 422
        assert wrong.text.count("c-field-error") >= 4
        form = {
            "titolo": "Prime",
            "ruoli": "guardian",
            "classi": class_id,
            "giorno": "2099-09-14",
            "ora": "08:00",
            "ritmo": "60",
        }
        seen = await desk.post("/consegne/campagne", data=form)
        assert "Niente è ancora programmato" in seen.text
        assert await house.events(CampaignPlanned) == []
        past = await desk.post("/consegne/campagne", data=form | {"giorno": "2024-09-14"})
        assert past.status_code == 422 and "passata da più di sette giorni" in past.text
        old = GUARDIANS | {"opens": (YESTERDAY - timedelta(days=8)).isoformat()}
        assert (await desk.post(PATH, json=old)).status_code == 422
        once = seen.text.partition('name="una_volta" value="')[2].partition('"')[0]
        confirm = form | {"passo": "conferma", "una_volta": once}
        places = {(await desk.post("/consegne/campagne", data=confirm)).headers["Location"] for _ in range(2)}
        assert len(places) == 1, "sent twice, planned once"
        (place,) = places
        page = (await desk.get(place)).text
        assert "Programmata" in page
        assert "In attesa" in page
        assert (
            "della campagna «Prime», dal 14/09/2099" in (await desk.get(f"/consegne/classi/{class_id}")).text
        )
        assert "restano in attesa 2 persone" in (await desk.get(f"{place}/pausa")).text
        assert (await desk.post(f"{place}/pausa")).status_code == 422
        assert (await desk.post(f"{place}/pausa", data={"motivo": "riunione"})).status_code == 303
        assert "Motivo: riunione" in (await desk.get(place)).text
        assert "che riprenda la campagna «Prime»" in (await desk.get(f"/consegne/classi/{class_id}")).text
        assert (await desk.post(f"{place}/ripresa")).status_code == 303
        assert "programmi prima la nuova campagna" in (await desk.get(f"{place}/annullamento")).text
        assert (await desk.post(f"{place}/annullamento", data={"motivo": "errore"})).status_code == 303
        assert "Annullata" in (await desk.get("/consegne/campagne")).text
        assert (await desk.get(f"{place}/altro")).status_code == 404
    kinds: list[Event] = await house.events(CampaignPlanned)
    (plan,) = kinds
    assert isinstance(plan, CampaignPlanned)
    assert (plan.classes, plan.per_domain_a_minute) == ((class_id,), 60)
    assert plan.opens == datetime(2099, 9, 14, 6, tzinfo=UTC)


async def test_what_the_pages_read_is_rebuilt_the_same(house: House, postgres: PostgresEngine) -> None:
    everybody = await parents(house, await house.form_class(), 3)
    campaign = await planned(house, per_domain_a_minute=100)
    await run(house)
    for guardian in everybody:
        await house.issue(guardian)
    await run(house)
    assert house.returns is not None
    await Bounces(house.runtime.commands, house.returns).take(returned(house))
    await house.address_corrected(everybody[0], "giusta@posta.example")
    await act(house, campaign, "pause", "prova")
    await act(house, campaign, "resume")
    await run(house)
    database = house.settings.database_url.get_secret_value()
    owner = postgres.role_url("notifications_owner", urlsplit(database).path.lstrip("/"))

    async def foreign(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
        async for batch in house.others[source].replay(after, upto):
            yield [recorded.entry for recorded in batch]

    rebuild = Rebuild(house.store, project, owner, postgres.urls("notifications").keyring, foreign)
    told = await rebuild.run(service_role="notifications")
    assert (told.differences, told.switched) == ({}, True)
    assert (await follow(house, campaign))["outcomes"] == {"sent": 3}, (
        "functions see the tables that were switched in"
    )
