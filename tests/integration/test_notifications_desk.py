"""The desk: the state of every credential, slips printed end to end, and who may not (P5, M7, M8, E3)."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from pypdf import PdfReader

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.channels.slip.sheet import groups
from shared.contracts.identity import (
    AccountRole,
    FirstAccessCompleted,
    IssuanceRefused,
    RefusalReason,
    StaffRole,
)
from shared.contracts.notifications import DeliveryRequested, PrintingReason, SlipPrinted
from shared.contracts.policy import EMAIL, PAPER, Channel, CredentialPolicy, RolePolicy
from shared.contracts.registry import Relationship, SchoolRegistered
from shared.sealing import ClaimReason, ClaimRefusal
from tests.integration.notifications_fixtures import OTHER_SCHOOL, SCHOOL, YEAR, House, open_house
from tests.integration.notifications_web import Sessions, browser, cookie, front

NONE = RolePolicy(channel=Channel.none)
NO_PUPILS = PAPER.model_copy(update={"pupil_under_age": NONE, "pupil_of_age": NONE})
LATER = PAPER.model_copy(update={"campaign_opens": date(2099, 10, 1)})


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


async def paper_class(house: House, *families: str) -> tuple[str, list[str]]:
    """A class of a paper school: a pupil and a mother for each family, all with slips; the class, the holders."""
    await house.school(PAPER)
    class_id = await house.form_class()
    holders = []
    for family in families:
        student = await house.pupil(class_id, family, "Luca")
        mother = await house.guardian(student, family, "Anna", None)
        for holder, role in ((student, AccountRole.pupil), (mother, AccountRole.guardian)):
            await house.account(holder, role)
            await house.issue(holder, Channel.slip, role=role, exclusive=False, days=30)
            holders.append(holder)
    return class_id, holders


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


async def test_a_class_is_printed_once_and_written_down_first(house: House) -> None:
    class_id, holders = await paper_class(house, "Verdi", "Neri")
    sessions = Sessions()
    app = front(house, sessions)
    async with browser(app, sessions.open("secretary", account="account-segreteria")) as desk:
        answer = await desk.post(f"/consegne/classi/{class_id}/tagliandi")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Custode-Slips"] == "4"
    assert answer.headers["Custode-Left-Out"] == "0"
    assert len(PdfReader(BytesIO(answer.content)).pages) == 4
    text = text_of(answer.content)
    for credential in house.secrets.values():
        assert all(group in text for group in groups(credential.password))
    printed = [r for r in await house.history() if isinstance(r.event, SlipPrinted)]
    assert len(printed) == 4
    assert {r.actor for r in printed} == {"account-segreteria"}
    assert {r.event.reason for r in printed if isinstance(r.event, SlipPrinted)} == {
        PrintingReason.first_printing
    }
    assert [c.reason for c in house.identity.claims] == [ClaimReason.print]
    assert text.index("Neri") < text.index("Verdi"), "in the order of the class list"
    assert len(holders) == 4


async def test_a_reprint_asks_for_its_reason(house: House) -> None:
    class_id, holders = await paper_class(house, "Verdi")
    sessions = Sessions()
    app = front(house, sessions)
    path = f"/consegne/classi/{class_id}/tagliandi"
    async with browser(app, sessions.open("secretary")) as desk:
        await desk.post(path)
        asked = await desk.post(path, data={"holders": holders[0]})
        assert asked.status_code == 422
        assert "Perché si ristampa?" in asked.text
        assert len(await house.events(SlipPrinted)) == 2
        assert "Indichi perché si ristampa." not in asked.text, "nobody was asked yet"
        assert 'name="passo" value="motivo"' in asked.text
        unchosen = await desk.post(path, data={"holders": holders[0], "passo": "motivo"})
        assert unchosen.status_code == 422
        assert unchosen.text.count("Indichi perché si ristampa.") == 2, "in the summary and at the field"
        assert 'id="errori"' in unchosen.text
        wrong = await desk.post(path, data={"holders": holders[0], "motivo": "first_printing"})
        assert wrong.status_code == 422
        assert "Indichi perché si ristampa." in wrong.text
        again = await desk.post(path, data={"holders": holders[0], "motivo": "lost"})
    assert again.headers["Content-Type"] == "application/pdf"
    last = (await house.events(SlipPrinted))[-1]
    assert isinstance(last, SlipPrinted)
    assert (last.printing, last.reason) == (2, PrintingReason.lost)
    assert house.identity.claims[-1].reason is ClaimReason.reprint


async def test_a_pin_is_on_a_slip_only_when_its_holder_fetches_it(house: House) -> None:
    await house.school(PAPER)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    mother = await house.guardian(student, "Verdi", "Anna", None)
    await house.account(mother)
    await house.issue(mother, Channel.slip, exclusive=False, pin="738291")
    sessions = Sessions()
    path = f"/consegne/classi/{class_id}/tagliandi"
    async with browser(front(house, sessions), sessions.open("principal")) as desk:
        in_class = await desk.post(path)
        at_desk = await desk.post(path, data={"holders": mother, "consegna": "sportello", "motivo": "other"})
    assert "738291" not in text_of(in_class.content)
    assert "738291" in text_of(at_desk.content)


async def test_slips_whose_secret_is_gone_are_left_out_and_told(house: House) -> None:
    class_id, holders = await paper_class(house, "Verdi", "Neri")
    house.identity.slips[await house.credential_of(holders[1])] = ClaimRefusal.gone
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        answer = await desk.post(f"/consegne/classi/{class_id}/tagliandi")
        assert (answer.headers["Custode-Slips"], answer.headers["Custode-Left-Out"]) == ("3", "1")
        page = await desk.get(f"/consegne/classi/{class_id}")
        assert "1 tagliando non è nel PDF" in page.text
        assert "Verdi Anna" in page.text
        again = await desk.get(f"/consegne/classi/{class_id}")
        assert "non è nel PDF" not in again.text
    assert len(await house.events(SlipPrinted)) == 3


async def test_with_identity_down_nothing_is_half_done(house: House) -> None:
    class_id, _ = await paper_class(house, "Verdi")
    house.identity.silent = True
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        answer = await desk.post(f"/consegne/classi/{class_id}/tagliandi")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert "i tagliandi non si possono stampare" in answer.text
    assert await house.events(SlipPrinted) == []


@pytest.mark.requirement("E3", part="the desk")
async def test_exclusive_by_mail_is_never_printed(house: House) -> None:
    await house.school(EMAIL)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    guardian = await house.guardian(student, "Verdi", "Anna", None)
    await house.account(guardian)
    await house.issue(guardian)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("principal")) as desk:
        page = await desk.get(f"/consegne/classi/{class_id}")
        assert "Senza indirizzo" in page.text
        assert "Correggi l’indirizzo" in page.text
        answer = await desk.post(f"/consegne/classi/{class_id}/tagliandi", data={"holders": guardian})
    assert answer.status_code == 409
    assert "solo per e-mail" in answer.text
    assert house.identity.claims == []
    assert await house.events(SlipPrinted) == []


async def test_where_the_policy_allows_it_a_slip_stands_in_for_the_mail(house: House) -> None:
    await house.school(PAPER)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    guardian = await house.guardian(student, "Verdi", "Anna", None)
    await house.account(guardian)
    mail = await house.issue(guardian, Channel.email, exclusive=False)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        answer = await desk.post(f"/consegne/classi/{class_id}/tagliandi", data={"holders": guardian})
        assert answer.status_code == 200
        page = await desk.get(f"/consegne/classi/{class_id}")
    assert "Stampata" in page.text
    requested = [e for e in await house.events(DeliveryRequested) if isinstance(e, DeliveryRequested)]
    assert [e.channel for e in requested] == [Channel.email, Channel.slip]
    assert await house.status(mail) == "refused"
    assert await house.status(requested[1].delivery) == "printed"


async def test_strangers_are_refused(house: House) -> None:
    class_id, holders = await paper_class(house, "Verdi")
    await house.school(PAPER, school=OTHER_SCHOOL)
    foreign = await house.form_class(school=OTHER_SCHOOL)
    sessions = Sessions()
    app = front(house, sessions)
    paths = [f"/consegne/classi/{class_id}", f"/api/notifications/classes/{class_id}/holders"]
    async with browser(app, sessions.open("secretary", school=OTHER_SCHOOL)) as other:
        for path in paths:
            assert (await other.get(path)).status_code == 404
        assert (await other.post(f"/consegne/classi/{class_id}/tagliandi")).status_code == 404
        delivery = await house.store.pool.fetchval("select delivery from projections.deliveries_v1 limit 1")
        assert (await other.get(f"/consegne/recapiti/{delivery}")).status_code == 404
        assert (await other.get(f"/api/notifications/deliveries/{delivery}")).status_code == 404
        borrowed = await other.post(f"/consegne/classi/{foreign}/tagliandi", data={"holders": holders[0]})
        assert borrowed.status_code == 404, "a holder of another school's class"
    for role in ("guardian", "pupil", "teacher", "auditor"):
        async with browser(app, sessions.open(role)) as nobody:
            front_door = await nobody.get("/consegne/")
            assert front_door.status_code == (303 if role == "teacher" else 403)
            for path in (*paths, "/api/notifications/classes", "/api/notifications/deliveries"):
                assert (await nobody.get(path)).status_code == 403, (role, path)
            assert (await nobody.post(f"/consegne/classi/{class_id}/tagliandi")).status_code == 403
    async with browser(app) as anonymous:
        assert (await anonymous.get("/consegne/")).headers["Location"].startswith("/accesso/")
    async with browser(app, accept="application/json") as program:
        assert (await program.get("/api/notifications/classes")).status_code == 401
    assert house.identity.claims == []
    assert await house.events(SlipPrinted) == []


@pytest.mark.requirement("M7", part="states of a class")
async def test_every_state_of_a_class_at_a_glance(house: House) -> None:
    await house.school(EMAIL)
    class_id = await house.form_class()
    replies = {"rimandata": "450 later", "respinta": "550 5.1.1 unknown"}
    house.mailbox.answer = lambda to, _: replies.get(to.split("@")[0], "250 OK")
    people = {}
    for family, email in (
        ("Inviata", "inviata@example.org"),
        ("Rimandata", "rimandata@example.org"),
        ("Respinta", "respinta@example.org"),
        ("Senza", None),
        ("Attivata", "attivata@example.org"),
        ("Rifiutata", "rifiutata@example.org"),
    ):
        student = await house.pupil(class_id, family, "Luca")
        people[family] = await house.guardian(student, family, "Anna", email, Relationship.mother)
        if family == "Rifiutata":
            account = await house.account(people[family])
            await house.tell(
                IssuanceRefused(
                    account=account, holder=people[family], year=YEAR, reason=RefusalReason.no_account
                )
            )
            continue
        await house.account(people[family])
        await house.issue(people[family])
    postman = house.postman()
    while await postman.round():
        pass
    credential = await house.credential_of(people["Attivata"])
    await house.tell(FirstAccessCompleted(account=f"account-{people['Attivata']}", credential=credential))
    sessions = Sessions()
    app = front(house, sessions)
    async with browser(app, sessions.open("secretary"), accept="application/json") as program:
        rows = (await program.get(f"/api/notifications/classes/{class_id}/holders")).json()
        found = {r["name"].split()[0]: (r["state"], r["next_step"]) for r in rows if r["role"] == "guardian"}
        counted = (await program.get("/api/notifications/classes")).json()
        page = (await program.get("/api/notifications/deliveries", params={"limit": 2})).json()
        rest = await program.get("/api/notifications/deliveries", params={"before": page["next"]})
    assert found == {
        "Inviata": ("sent", "nothing"),
        "Rimandata": ("deferred", "nothing"),
        "Respinta": ("undelivered", "correct_address"),
        "Senza": ("no_address", "correct_address"),
        "Attivata": ("activated", "nothing"),
        "Rifiutata": ("not_issued", "issue"),
    }
    assert counted[0]["states"]["sent"] == 1
    assert (counted[0]["title"], counted[0]["holders"]) == ("1A", 12)
    assert len(page["deliveries"]) == 2
    assert len(rest.json()["deliveries"]) == 3
    async with browser(app, sessions.open("secretary")) as desk:
        html = (await desk.get(f"/consegne/classi/{class_id}")).text
        for word in ("Inviata", "Rimandata", "Non recapitata", "Senza indirizzo", "Attivata", "Non emessa"):
            assert word in html
        assert 'action="/accesso/emissioni"' in html
        only = (await desk.get(f"/consegne/classi/{class_id}?stato=no_address")).text
        assert "Senza Anna" in only
        assert "Respinta Anna" not in only
        failed = next(r["delivery"] for r in rows if r["state"] == "undelivered")
        details = (await desk.get(f"/consegne/recapiti/{failed}")).text
        assert "La casella non esiste" in details
        assert "550" in details


async def test_an_unused_secret_expires_and_can_be_issued_anew(house: House) -> None:
    class_id, _ = await paper_class(house, "Verdi")
    house.store.clock = lambda: house.now() + timedelta(days=31)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        page = (await desk.get(f"/consegne/classi/{class_id}")).text
        assert "Scaduta" in page
        assert "Emetti 2 credenziali" in page
        nothing = await desk.post(f"/consegne/classi/{class_id}/tagliandi")
    assert nothing.status_code == 409


async def test_the_details_of_a_slip_name_who_printed_it(house: House) -> None:
    class_id, holders = await paper_class(house, "Verdi")
    account = await house.staff("Bruni", "Carla", StaffRole.secretary)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary", account=account)) as desk:
        await desk.post(f"/consegne/classi/{class_id}/tagliandi", data={"holders": holders[0]})
        delivery = await house.store.pool.fetchval(
            "select delivery from projections.deliveries_v1 where holder = $1", holders[0]
        )
        page = (await desk.get(f"/consegne/recapiti/{delivery}")).text
        assert "Bruni Carla" in page
        assert "Prima stampa" in page
        signatures = await desk.get(f"/consegne/classi/{class_id}/elenco-firme")
    assert signatures.headers["Content-Type"] == "application/pdf"
    assert "Verdi Luca" in text_of(signatures.content)


async def test_a_parent_signs_where_the_slip_was_printed(house: House) -> None:
    class_id, holders = await paper_class(house, "Verdi")
    other = await house.form_class("2B")
    sister = await house.pupil(other, "Verdi", "Sara")
    await house.guardian(sister, "Verdi", "Anna", None, guardian=holders[1])
    sessions = Sessions()
    here, there = (f"/consegne/classi/{one}" for one in (class_id, other))
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        await desk.post(f"{here}/tagliandi")
        assert "Verdi Anna" in text_of((await desk.get(f"{here}/elenco-firme")).content)
        assert (await desk.get(f"{there}/elenco-firme")).status_code == 409
        assert "Elenco per le firme" in (await desk.get(here)).text
        page = (await desk.get(there)).text
        assert "Verdi Anna" in page and "Elenco per le firme" not in page
        await desk.post(f"{there}/tagliandi", data={"holders": holders[1], "motivo": "lost"})
        assert "Verdi Anna" in text_of((await desk.get(f"{there}/elenco-firme")).content)
        rest = text_of((await desk.get(f"{here}/elenco-firme")).content)
        assert "Verdi Luca" in rest and "Verdi Anna" not in rest
        await house.store.pool.execute("delete from private.printed_from")
        assert "Verdi Anna" in text_of((await desk.get(f"{here}/elenco-firme")).content), "not known where"


async def test_the_class_says_that_issuing_has_begun(house: House) -> None:
    class_id, _ = await paper_class(house, "Verdi")
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        path = f"/consegne/classi/{class_id}"
        for count, told in (("1", "per 1 persona<"), ("12", "per 12 persone<")):
            assert f"Emissione avviata {told}" in (await desk.get(f"{path}?emesse={count}")).text
        for nothing in ("", "0", "-1", "x", "1<b>", "٣", "1234567"):
            page = await desk.get(path, params={"emesse": nothing})
            assert page.status_code == 200 and "Emissione avviata" not in page.text


@pytest.mark.parametrize(
    ("site", "warned"),
    [
        ("http://localhost:8480", True),
        ("https://registro.scuola.example", False),
        ("https://localhost.scuola.example", False),
    ],
)
async def test_the_desk_is_warned_of_an_address_for_trial(house: House, site: str, warned: bool) -> None:
    class_id, _ = await paper_class(house, "Verdi")
    sessions = Sessions()
    app = front(house, sessions, site)
    headers = {"Cookie": cookie(sessions.open("secretary")), "Accept": "text/html"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=site, headers=headers) as desk:
        for path in ("/consegne/", f"/consegne/classi/{class_id}"):
            page = await desk.get(path)
            assert page.status_code == 200
            assert (f"sui tagliandi è {site}: vale solo per prova" in page.text) is warned


async def test_names_stand_as_on_an_italian_class_list(house: House) -> None:
    await house.school(PAPER)
    class_id = await house.form_class()
    for family in ("Zanè", "De Luca", "d'Amico", "Àlvaro", "Damiani", "Esposito"):
        await house.pupil(class_id, family, "Luca")
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary"), accept="application/json") as desk:
        rows = (await desk.get(f"/api/notifications/classes/{class_id}/holders")).json()
    families = [row["name"].removesuffix(" Luca") for row in rows]
    assert families == ["Àlvaro", "Damiani", "d'Amico", "De Luca", "Esposito", "Zanè"]


@pytest.mark.parametrize(
    ("policy", "mailbox", "italian", "english"),
    [
        (None, None, "delle regole della scuola", "for the school’s rules"),
        (EMAIL, None, "della casella istituzionale", "for the institutional mailbox"),
        (EMAIL, "luca@studenti.example", "sia attivata", "to be activated"),
        (NO_PUPILS, None, "non ne prevede per questo ruolo", "foresees none for this role"),
        (LATER, None, "dal 01/10/2099", "until 01/10/2099"),
    ],
    ids=["no policy", "no mailbox", "mailbox not active", "none for pupils", "campaign not open"],
)
async def test_the_list_says_what_a_holder_waits_for(
    house: House, policy: CredentialPolicy | None, mailbox: str | None, italian: str, english: str
) -> None:
    if policy is None:
        await house.tell(SchoolRegistered(school=SCHOOL, name="Istituto", customer_id="tigli"))
    else:
        await house.school(policy)
    class_id = await house.form_class()
    await house.pupil(class_id, "Verdi", "Luca", mailbox)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        for language, text in (("it", italian), ("en", english)):
            page = (await desk.get(f"/consegne/classi/{class_id}?lang={language}")).text
            table, _, _ = page.partition('<details class="mb-4">')
            assert text in table
