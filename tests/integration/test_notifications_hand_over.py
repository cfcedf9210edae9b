"""Slips handed over: in class by its teacher, at the desk, by scanning; who may not; and what is alerted to (P5, P11)."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.projections import project
from shared.contracts.event import Personal
from shared.contracts.identity import (
    AccountLocked,
    AccountRevoked,
    AccountRole,
    AccountSuspended,
    AccountUnlocked,
    FirstAccessCompleted,
    RegenerationRequested,
    ReportedBy,
    RevocationReason,
    ShredReason,
    SlipClaimed,
    SuspensionReason,
)
from shared.contracts.notifications import (
    AlertKind,
    AlertRaised,
    AlertSettled,
    HandedTo,
    HandOverBy,
    SlipHandedOver,
    SlipHandOverUndone,
)
from shared.contracts.policy import PAPER, Channel
from shared.contracts.registry import ClassFormed, Note, TeacherAssigned, TeacherUnassigned
from shared.eventstore.rebuild import Rebuild
from shared.ids import new_id
from tests.integration.notifications_fixtures import OTHER_SCHOOL, House, open_house
from tests.integration.notifications_web import Sessions, browser, front

PRINT, HAND_OVER = "/consegne/classi/{}/tagliandi", "/consegne/classi/{}/consegna"


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


class PaperClass:
    """1A with a pupil and a mother for each family, their slips printed, and its teacher."""

    def __init__(self, house: House, class_id: str, slips: dict[str, str], sessions: Sessions) -> None:
        self.house, self.id, self.slips, self.sessions = house, class_id, slips, sessions
        self.app = front(house, sessions)

    def desk(self, accept: str = "text/html"):  # type: ignore[no-untyped-def]
        return browser(self.app, self.sessions.open("secretary", account="account-desk"), accept)

    def teacher(self, accept: str = "text/html", person: str = "person-teacher"):  # type: ignore[no-untyped-def]
        token = self.sessions.open("teacher", account="account-teacher", person=person)
        return browser(self.app, token, accept)

    async def handed_over(self) -> list[SlipHandedOver]:
        return [e for e in await self.house.events(SlipHandedOver) if isinstance(e, SlipHandedOver)]


async def paper_class(house: House, *families: str) -> PaperClass:
    await house.school(PAPER)
    class_id = await house.form_class()
    await house.tell(TeacherAssigned(teacher="person-teacher", class_id=class_id))
    slips = {}
    for family in families:
        student = await house.pupil(class_id, family, "Luca")
        mother = await house.guardian(student, family, "Anna", None)
        for holder, role, given in (
            (student, AccountRole.pupil, "Luca"),
            (mother, AccountRole.guardian, "Anna"),
        ):
            await house.account(holder, role)
            slips[f"{family} {given}"] = await house.issue(
                holder, Channel.slip, role=role, exclusive=False, days=30
            )
    paper = PaperClass(house, class_id, slips, Sessions())
    async with paper.desk() as desk:
        assert (await desk.post(PRINT.format(class_id))).status_code == 200
    return paper


@pytest.mark.requirement("P5", part="in class, by ticking names")
async def test_the_teacher_ticks_who_is_there_and_the_absent_stay_open(house: House) -> None:
    one = await paper_class(house, "Verdi", "Neri")
    async with one.teacher() as teacher:
        mine = await teacher.get("/consegne/consegna")
        assert "Classe 1A" in mine.text and "4 fogli" in mine.text
        page = await teacher.get(HAND_OVER.format(one.id))
        assert "4 fogli da consegnare" in page.text and "Genitore o tutore di" in page.text
        nobody = await teacher.post(HAND_OVER.format(one.id))
        assert nobody.status_code == 422 and "Segni almeno una persona." in nobody.text
        present = [one.slips["Verdi Luca"], one.slips["Verdi Anna"]]
        in_class = {"slips": present, "a": "pupil", "dove": "sportello"}
        told = await teacher.post(HAND_OVER.format(one.id), data=in_class)
        assert told.status_code == 303
        after = await teacher.get(told.headers["Location"])
        again = await teacher.post(HAND_OVER.format(one.id), data={"slips": present, "a": "pupil"})
        assert again.status_code == 303
    assert "Consegna registrata per 2 fogli" in after.text
    assert "2 fogli da consegnare" in after.text and "2 fogli consegnati" in after.text
    recorded = await one.handed_over()
    assert {(e.to, e.by, e.class_id) for e in recorded} == {
        (HandedTo.holder, HandOverBy.tick, one.id),
        (HandedTo.pupil, HandOverBy.tick, one.id),
    }, "the pupil takes their own, and their mother's brevi manu"
    assert [r.actor for r in await house.history() if isinstance(r.event, SlipHandedOver)] == [
        "account-teacher"
    ] * 2
    async with one.desk("application/json") as desk:
        rows = (await desk.get(f"/api/notifications/classes/{one.id}/holders")).json()
        assert [(r["name"], r["state"], r["next_step"]) for r in rows] == [
            ("Neri Luca", "printed", "hand_over"),
            ("Neri Anna", "printed", "hand_over"),
            ("Verdi Luca", "handed_over", "nothing"),
            ("Verdi Anna", "handed_over", "nothing"),
        ]
        left = (await desk.get(f"/api/notifications/classes/{one.id}/hand-overs")).json()
        assert left["left"] == 2
        delivery = (await desk.get(f"/api/notifications/deliveries/{present[0]}")).json()
        assert delivery["status"] == "handed_over"


@pytest.mark.requirement("P5", part="the teacher of this year's class, not of last year's")
async def test_last_years_class_is_nobodys_any_more(house: House) -> None:
    one = await paper_class(house, "Neri")
    last_year, teacher = new_id(), "person-teacher"
    formed = ClassFormed(
        class_id=last_year,
        year="2025/2026",
        title="1A",
        grade=1,
        section="A",
        curriculum=None,
        source="test",
        external_id="1A",
    )
    await house.tell(formed, TeacherAssigned(teacher=teacher, class_id=last_year))
    async with one.teacher() as asking:
        assert (await asking.get(HAND_OVER.format(last_year))).status_code == 404
        assert (await asking.get(f"/api/notifications/classes/{last_year}/hand-overs")).status_code == 404
        assert (await asking.get(HAND_OVER.format(one.id))).status_code == 200
        assert last_year not in (await asking.get("/consegne/consegna")).text


async def test_a_sheet_counts_in_the_class_from_which_it_was_printed(house: House) -> None:
    one = await paper_class(house, "Verdi", "Neri")
    mother = await house.holder_of(one.slips["Verdi Anna"])
    other = await house.form_class("2B")
    brother = await house.pupil(other, "Verdi", "Ugo")
    await house.guardian(brother, "Verdi", "Anna", None, guardian=mother)
    await house.account(brother, AccountRole.pupil)
    await house.issue(brother, Channel.slip, role=AccountRole.pupil, exclusive=False, days=30)
    async with one.desk() as desk:
        assert (await desk.post(PRINT.format(other))).status_code == 200
        rows = (await desk.get("/consegne/consegna")).text.split("<tr")
    told = {title: row for row in rows for title in ("1A", "2B") if f"Classe {title}" in row}
    assert "4 fogli" in told["1A"] and "1 foglio" in told["2B"]


@pytest.mark.requirement("P5", part="by scanning the slip")
async def test_a_scan_is_a_name_and_a_button_for_its_teacher_and_nothing_for_others(house: House) -> None:
    one = await paper_class(house, "Verdi")
    mothers = one.slips["Verdi Anna"]
    path = f"/consegne/consegna/{mothers}"
    async with browser(one.app) as anybody:
        sign_in = await anybody.get(path)
        assert sign_in.status_code == 303
        assert sign_in.headers["Location"] == f"/accesso/?next={path}"
    for role in ("guardian", "pupil"):
        async with browser(one.app, one.sessions.open(role)) as family:
            answer = await family.get(path)
            assert (answer.status_code, answer.headers["Location"]) == (303, "/accesso/inizio")
            assert (await family.post(path)).status_code == 403
    async with one.teacher(person="person-other") as other:
        for answer in (await other.get(path), await other.post(path), await other.get(f"{path}/annulla")):
            assert answer.status_code == 404
        assert (await other.get(HAND_OVER.format(one.id))).status_code == 404
        assert (await other.get(f"/consegne/classi/{one.id}")).status_code == 403
    async with browser(one.app, one.sessions.open("secretary", school=OTHER_SCHOOL)) as foreign:
        assert (await foreign.get(path)).status_code == 404
        assert (await foreign.post(path)).status_code == 404
    assert await one.handed_over() == []
    async with one.teacher() as teacher:
        page = await teacher.get(f"{path}?da=foglio")
        assert "Verdi Anna" in page.text and ">Consegnato<" in page.text
        assert page.text.count('name="da" value="foglio"') == 2
        assert 'name="da"' not in (await teacher.get(path)).text, "reached by a link, nothing was scanned"
        assert (await teacher.get("/consegne/consegna/unknown")).status_code == 404
        told = await teacher.post(path, data={"a": "pupil", "da": "foglio"})
        assert told.status_code == 303
        assert "con il codice QR del foglio" in (await teacher.get(path)).text
        assert "all’alunno, brevi manu" in (await teacher.get(path)).text
        twice = await teacher.post(path, data={"a": "pupil"})
        assert twice.status_code == 303
        to_another = await teacher.post(path, data={"a": "delegate", "delegato": "Rosa Neri"})
        assert to_another.status_code == 409 and "già consegnato" in to_another.text
    (event,) = await one.handed_over()
    assert (event.class_id, event.to, event.by) == (one.id, HandedTo.pupil, HandOverBy.scan)
    await house.tell(TeacherUnassigned(teacher="person-teacher", class_id=one.id))
    async with one.teacher() as teacher:
        assert (await teacher.get(path)).status_code == 404


@pytest.mark.requirement("P5", part="at the desk, by a delegate, undone")
async def test_at_the_desk_to_a_delegate_undone_and_done_again(house: House) -> None:
    one = await paper_class(house, "Verdi")
    mothers = one.slips["Verdi Anna"]
    path = f"/consegne/consegna/{mothers}"
    async with one.desk() as desk:
        unnamed = await desk.post(path, data={"a": "delegate"})
        assert unnamed.status_code == 422 and "Scriva chi ritira." in unnamed.text
        await desk.post(path, data={"a": "delegate", "delegato": "Rosa Neri"})
        shown = await desk.get(path)
        assert "a un delegato" in shown.text and "Rosa Neri" in shown.text and "allo sportello" in shown.text
        await house.shred((await one.handed_over())[0].holder, ShredReason.handed_over)
        mother = (await one.handed_over())[0].holder
        reprint = await desk.post(PRINT.format(one.id), data={"holders": mother, "motivo": "lost"})
        assert reprint.status_code == 409 and "già stato consegnato" in reprint.text
        asked = await desk.get(f"{path}/annulla")
        assert "non si può ristampare" in asked.text
        assert (await desk.post(f"{path}/annulla", data={"motivo": " "})).status_code == 422
        assert (await desk.post(f"{path}/annulla", data={"motivo": "riga sbagliata"})).status_code == 303
        (undone,) = await house.events(SlipHandOverUndone)
        assert isinstance(undone, SlipHandOverUndone) and undone.reason.value is not None
        assert undone.reason.value.text == "riga sbagliata"
        still = await desk.post(PRINT.format(one.id), data={"holders": mother, "motivo": "lost"})
        assert still.status_code == 409, "its sealed copy is gone"
        assert (await desk.post(path, data={"a": "holder"})).status_code == 303
        pupils = {"slips": [one.slips["Verdi Luca"]], "a": "holder", "dove": "sportello"}
        assert (await desk.post(HAND_OVER.format(one.id), data=pupils)).status_code == 303
        history = (await desk.get(f"/consegne/titolari/account-{mother}")).text
        details = (await desk.get(f"/consegne/recapiti/{mothers}")).text
        assert "consegna annullata: «<bdi>riga sbagliata</bdi>»" in details and "Rosa Neri" in details
        unchosen = await desk.post(PRINT.format(one.id), data={"scelta": "selezione"})
        assert unchosen.status_code == 422 and "Selezioni almeno una persona" in unchosen.text
        assert "Verdi Anna" in unchosen.text, "the class itself"
        again = await desk.get(PRINT.format(one.id))
        assert (again.status_code, again.headers["Location"]) == (303, f"/consegne/classi/{one.id}")
    for words in ("stampa numero 1", "Rosa Neri", "consegna annullata", "riga sbagliata", "all’intestatario"):
        assert words in history
    assert "allo sportello, segnando il nome" in history and "codice QR" not in history
    assert {e.by for e in await one.handed_over()} == {HandOverBy.tick}
    assert [(e.to, e.class_id) for e in await one.handed_over()] == [
        (HandedTo.delegate, None),
        (HandedTo.holder, None),
        (HandedTo.holder, None),
    ]


async def test_programs_hand_over_too(house: House) -> None:
    one = await paper_class(house, "Verdi", "Neri")
    base = f"/api/notifications/classes/{one.id}/hand-overs"
    slip = one.slips["Neri Anna"]
    async with one.teacher("application/json") as teacher:
        body = {"deliveries": [one.slips["Verdi Luca"]], "to": "pupil", "by": "list"}
        assert (await teacher.post(base, json=body)).json() == {
            "recorded": body["deliveries"],
            "already": [],
            "refused": {},
        }
        assert (await teacher.post(base, json=body)).json()["already"] == body["deliveries"]
        unknown = await teacher.post(base, json=body | {"deliveries": ["unknown"]})
        assert unknown.status_code == 404
        assert (await teacher.post(base, json=body | {"to": "nobody"})).status_code == 422
        handed = f"/api/notifications/deliveries/{slip}/hand-over"
        first = await teacher.post(handed, json={"to": "guardian", "class_id": one.id})
        assert first.json()["handed_over"]["to"] == "holder"
        assert (await teacher.post(handed, json={"to": "pupil"})).status_code == 409
        undone = await teacher.post(f"{handed}/undo", json={"reason": "per sbaglio"})
        assert undone.json()["handed_over"] is None
        assert (await teacher.post(f"{handed}/undo", json={"reason": "ancora"})).status_code == 409
    async with browser(one.app, one.sessions.open("guardian"), "application/json") as family:
        assert (await family.get(base)).status_code == 403


async def test_what_serves_no_more_is_not_handed_over(house: House) -> None:
    one = await paper_class(house, "Verdi")
    luca = one.slips["Verdi Luca"]
    holder = str(
        await house.store.pool.fetchval(
            "select holder from projections.deliveries_v1 where delivery = $1", luca
        )
    )
    await house.issue(holder, Channel.slip, role=AccountRole.pupil, exclusive=False, days=30, generation=2)
    async with one.desk() as desk:
        assert "non vale più" in (await desk.get(f"/consegne/consegna/{luca}")).text
        refused = await desk.post(f"/consegne/consegna/{luca}", data={"a": "holder"})
        assert refused.status_code == 409 and "Lo restituisca" in refused.text
        house.store.clock = lambda: house.now() + timedelta(days=31)
        page = (await desk.get(HAND_OVER.format(one.id))).text
        assert "Fogli che non valgono più" in page
    assert await one.handed_over() == []


@pytest.mark.requirement("P5", part="the list to sign")
async def test_the_list_to_sign_holds_what_is_left(house: House) -> None:
    one = await paper_class(house, "Verdi", "Neri")
    async with one.teacher() as teacher:
        await teacher.post(HAND_OVER.format(one.id), data={"slips": [one.slips["Neri Luca"]]})
        signed = await teacher.get(f"/consegne/classi/{one.id}/elenco-firme")
    assert signed.headers["Content-Type"] == "application/pdf"
    text = "\n".join(page.extract_text() for page in PdfReader(BytesIO(signed.content)).pages)
    assert "Verdi Luca" in text and "Verdi Anna" in text and "Neri Anna" in text
    assert "Alunna o alunno\nNeri" not in text and text.count("Neri Luca") == 1, "only as Anna's child"


@pytest.mark.requirement("P11", part="the alert")
async def test_a_parents_slip_used_before_it_was_handed_over_is_an_alert_once(house: House) -> None:
    one = await paper_class(house, "Verdi", "Neri")
    async with one.teacher() as teacher:
        await teacher.post(HAND_OVER.format(one.id), data={"slips": [one.slips["Neri Anna"]]})
    rows = await house.store.pool.fetch("select holder, credential, account from projections.accounts_v1")
    for row in rows:
        used = FirstAccessCompleted(account=row["account"], credential=row["credential"])
        await house.tell(used, used)
    raised = [e for e in await house.events(AlertRaised) if isinstance(e, AlertRaised)]
    assert [e.kind for e in raised] == [AlertKind.access_before_hand_over], "Anna Verdi's alone"
    async with one.desk() as desk:
        assert "1 avviso da guardare" in (await desk.get("/consegne/")).text
        page = await desk.get("/consegne/avvisi")
        assert "Primo accesso prima della consegna: <bdi>Verdi Anna</bdi>" in page.text
        path = f"/consegne/avvisi/{raised[0].alert}"
        assert (await desk.post(path, data={"nota": ""})).status_code == 422
        assert (await desk.post(path, data={"nota": "parlato con la madre: era lei"})).status_code == 303
        assert "parlato con la madre: era lei" in (await desk.get("/consegne/avvisi")).text
        assert (await desk.post("/consegne/avvisi/unknown", data={"nota": "x"})).status_code == 404
    await house.tell(FirstAccessCompleted(account=f"account-{raised[0].holder}", credential=raised[0].about))
    assert len(await house.events(AlertRaised)) == len(await house.events(AlertSettled)) == 1
    async with one.teacher() as teacher:
        assert (await teacher.get("/consegne/avvisi")).status_code == 403
    async with browser(one.app, one.sessions.open("secretary", school=OTHER_SCHOOL)) as foreign:
        assert (await foreign.post(path, data={"nota": "x"})).status_code == 404


async def test_a_slip_that_is_asked_for_too_often_is_an_alert_once(house: House) -> None:
    one = await paper_class(house, "Verdi")
    row = await house.store.pool.fetchrow(
        "select account, credential from projections.accounts_v1 where role = 'pupil'"
    )
    assert row is not None
    for claims in range(4, 9):
        await house.tell(
            SlipClaimed(account=row["account"], credential=row["credential"], claims=claims, reason="print")
        )
    (alert,) = await house.events(AlertRaised)
    assert isinstance(alert, AlertRaised)
    assert (alert.kind, alert.about) == (AlertKind.claims_over_limit, row["credential"])
    async with one.desk("application/json") as desk:
        (told,) = (await desk.get("/api/notifications/alerts")).json()
        assert (told["kind"], told["name"], told["settled_at"]) == ("claims_over_limit", "Verdi Luca", None)
        settled = await desk.post(
            f"/api/notifications/alerts/{told['alert']}/settlement", json={"note": "carta inceppata"}
        )
        assert settled.status_code == 204
        assert (await desk.get("/api/notifications/alerts")).json()[0]["note"] == "carta inceppata"


@pytest.mark.requirement("M7", part="what keeps a holder out")
async def test_the_class_shows_who_is_kept_out_and_where_that_is_decided(house: House) -> None:
    one = await paper_class(house, "Verdi", "Neri")
    accounts = {
        row["holder"]: row["account"]
        for row in await house.store.pool.fetch("select holder, account from projections.accounts_v1")
    }
    rows = await house.store.pool.fetch("select student from projections.pupils_v1 order by family_name")
    neri, verdi = (row["student"] for row in rows)
    await house.tell(AccountLocked(account=accounts[neri], failures=100))
    asked = RegenerationRequested(
        request="r",
        account=accounts[verdi],
        holder=verdi,
        by=ReportedBy.desk,
        identity_check=None,
        motivation=Personal(person=verdi, value=Note(text="perso")),
    )
    await house.tell(asked)
    async with one.desk() as desk:
        page = (await desk.get(f"/consegne/classi/{one.id}")).text
        assert "Bloccata: 1" in page and "Da decidere: 1" in page
        assert f'href="/accesso/sportello/credenziali/{accounts[neri]}"' in page
        assert 'href="/accesso/sportello/richieste"' in page
        only = (await desk.get(f"/consegne/classi/{one.id}?stato=locked")).text
        assert "Neri Luca" in only and "Verdi Luca" not in only
        await house.tell(AccountUnlocked(account=accounts[neri]))
        assert "Bloccata" not in (await desk.get(f"/consegne/classi/{one.id}")).text


@pytest.mark.requirement("M7", part="what keeps a holder out ends with what it is of")
async def test_who_is_issued_anew_is_kept_out_by_nothing_of_before(house: House) -> None:
    await house.school(PAPER)
    student = await house.pupil(await house.form_class(), "Verdi", "Luca")
    account = await house.account(student, AccountRole.pupil)
    await house.issue(student, Channel.slip, role=AccountRole.pupil)

    async def bars() -> set[str]:
        return {r["bar"] for r in await house.store.pool.fetch("select bar from projections.account_bars_v1")}

    suspended = AccountSuspended(account=account, because=SuspensionReason.withdrawn)
    await house.tell(AccountLocked(account=account, failures=100), suspended)
    await house.tell(AccountRevoked(account=account, because=RevocationReason.withdrawn))
    assert await bars() == {"revoked"}
    await house.issue(student, Channel.slip, role=AccountRole.pupil, generation=2)
    assert await bars() == set()
    await house.tell(AccountLocked(account=account, failures=100))
    await house.issue(student, Channel.slip, role=AccountRole.pupil, generation=3)
    assert await bars() == {"locked"}, "identity still counts the guesses"


@pytest.mark.requirement("P9", part="printed on the spot")
async def test_a_slip_that_was_just_issued_is_waited_for_and_printed_in_one_click(house: House) -> None:
    await house.school(PAPER)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    account = await house.account(student, AccountRole.pupil)
    sessions = Sessions()
    path = f"/consegne/titolari/{account}?stampa=ora&generazione=1"
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        waiting = (await desk.get(path)).text
        assert 'http-equiv="refresh"' in waiting and "sta arrivando" in waiting
        late = (await desk.get(f"{path}&giro=15")).text
        assert 'http-equiv="refresh"' not in late and "Guarda di nuovo" in late
        await house.issue(student, Channel.slip, role=AccountRole.pupil, exclusive=False)
        ready = (await desk.get(path)).text
        assert "Stampa adesso" in ready and 'http-equiv="refresh"' not in ready
        form = {"holders": student, "scelta": "selezione", "consegna": "sportello"}
        printed = await desk.post(PRINT.format(class_id), data=form)
        assert printed.headers["Content-Type"] == "application/pdf"
        after = (await desk.get(path)).text
        assert "Consegna" in after and 'http-equiv="refresh"' not in after
        assert (await desk.get("/consegne/titolari/unknown")).status_code == 404


async def test_a_class_teacher_hands_over_nothing_of_another_class(house: House) -> None:
    one = await paper_class(house, "Verdi")
    other = await house.form_class("2B")
    student = await house.pupil(other, "Neri", "Luca")
    await house.account(student, AccountRole.pupil)
    slip = await house.issue(student, Channel.slip, role=AccountRole.pupil, exclusive=False, days=30)
    async with one.desk() as desk:
        unprinted = await desk.get(f"/consegne/consegna/{slip}")
        assert unprinted.status_code == 404, "not on paper yet"
        assert (await desk.post(PRINT.format(other))).status_code == 200
    async with one.teacher() as teacher:
        smuggled = {"slips": [one.slips["Verdi Luca"], slip]}
        assert (await teacher.post(HAND_OVER.format(one.id), data=smuggled)).status_code == 404
        assert (await teacher.get(f"/consegne/classi/{other}/elenco-firme")).status_code == 404
        body = {"to": "holder", "class_id": other}
        answer = await teacher.post(f"/api/notifications/deliveries/{slip}/hand-over", json=body)
        assert answer.status_code == 404
    assert await one.handed_over() == []


async def test_what_pages_read_is_made_anew_from_the_histories(
    house: House, postgres: PostgresEngine
) -> None:
    one = await paper_class(house, "D’Amico", "Neri")
    async with one.teacher() as teacher:
        both = [one.slips["Neri Anna"], one.slips["Neri Luca"]]
        await teacher.post(HAND_OVER.format(one.id), data={"slips": both})
        await teacher.post(f"/consegne/consegna/{both[0]}/annulla", data={"motivo": "per sbaglio"})
    row = await house.store.pool.fetchrow(
        "select account, credential from projections.accounts_v1 where role = 'guardian'"
    )
    assert row is not None
    await house.tell(
        FirstAccessCompleted(account=row["account"], credential=row["credential"]),
        AccountLocked(account=row["account"], failures=100),
    )

    async def foreign(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
        async for batch in house.others[source].replay(after, upto):
            yield [recorded.entry for recorded in batch]

    database = await house.store.pool.fetchval("select current_database()")
    owner = postgres.role_url("notifications_owner", database)
    rebuild = Rebuild(house.store, project, owner, postgres.urls("notifications").keyring, foreign)
    rebuilt = await rebuild.run(service_role="notifications")
    assert rebuilt.differences == {}
    async with one.desk() as desk:
        assert "D’Amico Luca" in (await desk.get("/consegne/cerca?q=damico")).text
        assert (
            "per sbaglio"
            in (await desk.get("/consegne/titolari/" + (await _account_of(house, both[0])))).text
        )


async def _account_of(house: House, delivery: str) -> str:
    return str(
        await house.store.pool.fetchval(
            "select account from projections.deliveries_v1 where delivery = $1", delivery
        )
    )


@pytest.mark.parametrize("odd", ["a\0b", "\0", "\u202eb", "\ufffd"])
async def test_odd_texts_are_refused_and_no_fault(house: House, odd: str) -> None:
    one = await paper_class(house, "Verdi")
    slip = one.slips["Verdi Anna"]
    path, api = f"/consegne/consegna/{slip}", "/api/notifications"
    async with one.desk() as desk:
        to = {"a": "delegate", "delegato": odd}
        for where, form in ((path, to), (HAND_OVER.format(one.id), to | {"slips": slip})):
            refused = await desk.post(where, data=form)
            assert refused.status_code == 422 and "caratteri che non si possono usare" in refused.text
        assert (await desk.post(HAND_OVER.format(one.id), data={"slips": odd})).status_code == 404
        assert (
            await desk.post(f"/consegne/classi/{one.id}/reinvii", data={"holders": odd})
        ).status_code == 404
        assert (await desk.post("/consegne/avvisi/x", data={"nota": odd})).status_code == 422
        await desk.post(path, data={"a": "holder"})
        assert (await desk.post(f"{path}/annulla", data={"motivo": odd})).status_code == 422
        bodies: tuple[tuple[str, dict[str, object], int], ...] = (
            (f"{api}/deliveries/{slip}/hand-over", {"to": "delegate", "delegate": odd}, 422),
            (f"{api}/deliveries/{slip}/hand-over/undo", {"reason": odd}, 422),
            (f"{api}/classes/{one.id}/hand-overs", {"to": "holder", "deliveries": [odd]}, 404),
            (f"{api}/alerts/x/settlement", {"note": odd}, 422),
        )
        for where, body, status in bodies:
            assert (await desk.post(where, json=body)).status_code == status, where
