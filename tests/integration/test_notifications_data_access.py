"""Whoever may not see a child's data is told nothing of that child: no name in a mail or on a slip (E3, GDPR 5)."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.letters import letters
from services.notifications.operations import Desk, NothingPrinted, Order, WhyNot
from services.notifications.queries import School, SchoolClass
from shared.contracts.event import Event, Personal
from shared.contracts.identity import FirstAccessCompleted, IssuanceRefused, RefusalReason
from shared.contracts.notifications import DeliveryAttempted, SlipPrinted
from shared.contracts.policy import EMAIL, PAPER, Channel
from shared.contracts.registry import (
    EndGround,
    GuardianshipCorrected,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    Note,
    Relationship,
    RestrictionGround,
    WrongChildRejected,
    WrongChildReported,
)
from shared.policies import local_day
from tests.integration.notifications_fixtures import SITE, YEAR, House, open_house
from tests.integration.notifications_web import Sessions, browser, front


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


def words(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


async def corrected(house: House, guardian: str, student: str, *, data_access: bool) -> None:
    """The secretariat's system says otherwise than before."""
    await house.tell(
        GuardianshipCorrected(
            guardian=guardian,
            student=student,
            relationship=Relationship.father,
            data_access=data_access,
            justifies_online=False,
        )
    )


async def father_of_two(house: House, channel: Channel) -> tuple[str, dict[str, str], dict[str, str]]:
    """A father who may see Luca (1A) and not Marta (1B), with credentials; he, the pupils, the classes."""
    await house.school(EMAIL if channel is Channel.email else PAPER)
    classes = {title: await house.form_class(title) for title in ("1A", "1B")}
    pupils = {
        "Luca": await house.pupil(classes["1A"], "Verdi", "Luca"),
        "Marta": await house.pupil(classes["1B"], "Rossi", "Marta"),
    }
    father = await house.guardian(pupils["Luca"], "Verdi", "Ugo", "ugo@example.org")
    await house.guardian(
        pupils["Marta"], "Verdi", "Ugo", "ugo@example.org", guardian=father, data_access=False
    )
    await house.account(father)
    await house.issue(father, channel, exclusive=channel is Channel.email)
    return father, pupils, classes


async def test_a_mail_names_only_children_whose_data_may_be_seen(house: House) -> None:
    await father_of_two(house, Channel.email)
    await house.postman().round()
    ((_, content),) = house.mailbox.received
    assert b"Luca" in content
    assert b"Marta" not in content
    assert b"Rossi" not in content


async def test_a_slip_names_only_children_whose_data_may_be_seen(house: House) -> None:
    father, _, classes = await father_of_two(house, Channel.slip)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        elsewhere = await desk.post(f"/consegne/classi/{classes['1B']}/tagliandi", data={"holders": father})
        assert elsewhere.status_code == 409, "nothing goes home with the child whose data he may not see"
        assert "non può vedere i dati" in elsewhere.text
        slip = await desk.post(f"/consegne/classi/{classes['1A']}/tagliandi")
        assert slip.status_code == 200, slip.text
        text = words(slip.content)
        signatures = await desk.get(f"/consegne/classi/{classes['1A']}/elenco-firme")
        assert "Verdi Luca" in words(signatures.content)
        none = await desk.get(f"/consegne/classi/{classes['1B']}/elenco-firme")
        assert none.status_code == 409, "nor does he stand on the list that others sign"
    assert "Luca" in text
    assert "Marta" not in text
    assert "1B" not in text


async def test_who_may_see_no_child_gets_nothing(house: House) -> None:
    father, pupils, classes = await father_of_two(house, Channel.email)
    await corrected(house, father, pupils["Luca"], data_access=False)
    assert not await house.postman().round(), "no mail is due"
    assert house.mailbox.received == []
    assert house.identity.claims == []
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        page = (await desk.get(f"/consegne/classi/{classes['1A']}")).text
        assert "Senza accesso ai dati" in page
        english = (await desk.get(f"/consegne/classi/{classes['1A']}?lang=en")).text
        assert "No access to data" in english
        delivery = await house.store.pool.fetchval(
            "select delivery from projections.deliveries_v1 where holder = $1", father
        )
        assert "non può vedere i dati" in (await desk.get(f"/consegne/recapiti/{delivery}?lang=it")).text
    await corrected(house, father, pupils["Luca"], data_access=True)
    assert await house.postman().round(), "as soon as he may, the mail leaves"
    assert len(house.mailbox.received) == 1


async def test_a_mail_under_way_stops_when_access_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The letter is read after the mail was found due: what was corrected in between counts."""
    father, pupils, _ = await father_of_two(house, Channel.email)
    delivery = await house.store.pool.fetchval("select delivery from projections.deliveries_v1")
    postman = house.postman()
    due = postman._due

    async def overtaken(most: int) -> list[str]:
        found = await due(most)
        await corrected(house, father, pupils["Luca"], data_access=False)
        return found

    monkeypatch.setattr(postman, "_due", overtaken)
    await postman.round()
    assert house.mailbox.received == []
    assert await house.events(DeliveryAttempted) == []
    assert (await letters(house.store.pool, [delivery]))[delivery].children == ()


async def test_the_desk_offers_no_slip_to_who_may_see_no_child(house: House) -> None:
    await house.school(PAPER)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    father = await house.guardian(student, "Verdi", "Ugo", None, data_access=False)
    await house.account(father)
    await house.issue(father, Channel.slip, exclusive=False)
    sessions = Sessions()
    app = front(house, sessions)
    async with browser(app, sessions.open("secretary")) as desk:
        page = (await desk.get(f"/consegne/classi/{class_id}")).text
        assert "Senza accesso ai dati" in page
        assert "Stampa tagliando" not in page
        answer = await desk.post(f"/consegne/classi/{class_id}/tagliandi", data={"holders": father})
        assert answer.status_code == 409
        assert "non può vedere i dati" in answer.text
        assert (await desk.post(f"/consegne/classi/{class_id}/tagliandi")).status_code == 409
    async with browser(app, sessions.open("secretary"), accept="application/json") as program:
        rows = (await program.get(f"/api/notifications/classes/{class_id}/holders")).json()
    assert [(r["state"], r["next_step"]) for r in rows if r["role"] == "guardian"] == [
        ("no_data_access", "nothing")
    ]
    assert house.identity.claims == []
    assert await house.events(SlipPrinted) == []


async def test_a_slip_asked_for_stops_when_access_ends_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    father, pupils, classes = await father_of_two(house, Channel.slip)
    desk = Desk(house.runtime.commands, house.runtime.bus, house.keys, SITE)
    choose = Desk._choose

    async def overtaken(self: Desk, order: Order) -> object:
        found = await choose(self, order)
        await corrected(house, father, pupils["Luca"], data_access=False)
        return found

    monkeypatch.setattr(Desk, "_choose", overtaken)
    school = School("RMIC8AB00X", "Istituto", "tigli", PAPER)
    order = Order(
        school, SchoolClass(classes["1A"], YEAR, "1A"), frozenset(), None, "pupil", "account-s", None
    )
    with pytest.raises(NothingPrinted) as told:
        await desk.print_slips(order)
    assert [one.why for one in told.value.left_out] == [WhyNot.no_data_access]
    assert house.identity.claims == []


@pytest.mark.parametrize(
    ("reason", "italian", "english"),
    [
        (RefusalReason.no_data_access, "non può vedere i dati", "may not see"),
        (RefusalReason.role_without_credentials, "non ne prevede per", "foresees none for"),
        (RefusalReason.local_credentials_ended, "non dà più credenziali proprie", "no longer gives out"),
        (RefusalReason.no_account, "accesso dagli anni scorsi", "from earlier years"),
    ],
)
async def test_the_list_says_why_nothing_was_issued(
    house: House, reason: RefusalReason, italian: str, english: str
) -> None:
    await house.school(PAPER)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    sees = reason is not RefusalReason.no_data_access
    guardian = await house.guardian(student, "Verdi", "Ugo", None, data_access=sees)
    await house.tell(
        IssuanceRefused(account=f"account-{guardian}", holder=guardian, year=YEAR, reason=reason)
    )
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        for language, text in (("it", italian), ("en", english)):
            page = (await desk.get(f"/consegne/classi/{class_id}?lang={language}")).text
            table, _, _ = page.partition('<details class="mb-4">')
            assert text in table, "in the row itself, not only in the legend"


async def test_who_is_in_stays_in_the_list_as_such(house: House) -> None:
    father, pupils, classes = await father_of_two(house, Channel.slip)
    credential = await house.credential_of(father)
    await house.tell(FirstAccessCompleted(account=f"account-{father}", credential=credential))
    await corrected(house, father, pupils["Luca"], data_access=False)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary"), accept="application/json") as desk:
        rows = (await desk.get(f"/api/notifications/classes/{classes['1A']}/holders")).json()
    assert [r["state"] for r in rows if r["role"] == "guardian"] == ["activated"]


def note(person: str) -> Personal[Note]:
    return Personal(person=person, value=Note(text="come da atti"))


def limits(guardian: str, student: str, day: date) -> dict[str, Event]:
    court, wrong = RestrictionGround.court_order, EndGround.wrong_link
    about = {"guardian": guardian, "student": student, "note": note(guardian)}
    return {
        "restricted": GuardianshipRestricted.model_validate({**about, "on": day, "ground": court}),
        "ended": GuardianshipEnded.model_validate({**about, "on": day, "ground": wrong}),
        "reported": WrongChildReported.model_validate(about),
    }


@pytest.mark.requirement("M3", part="nothing is sent or printed")
@pytest.mark.parametrize("kind", ["restricted", "ended", "reported"])
async def test_a_closed_guardianship_gets_nothing_and_names_nobody(house: House, kind: str) -> None:
    """By whichever of the three ways it was closed, today."""
    father, pupils, classes = await father_of_two(house, Channel.email)
    today = local_day(house.now())
    await house.tell(limits(father, pupils["Luca"], today)[kind])
    assert not await house.postman().round(), "no child is left whose data he may see"
    assert house.mailbox.received == []
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        rows = (await desk.get(f"/api/notifications/classes/{classes['1A']}/holders")).json()
        states = {row["holder"]: row["state"] for row in rows}
        assert states.get(father, "no_data_access") == "no_data_access"
        assert (father in states) is (kind != "ended"), "an ended guardianship is no more"


@pytest.mark.requirement("M3", part="from its date")
async def test_a_restriction_counts_from_its_date_and_until_it_is_lifted(house: House) -> None:
    father, pupils, _ = await father_of_two(house, Channel.email)
    tomorrow = local_day(house.now()) + timedelta(days=1)
    await house.tell(limits(father, pupils["Luca"], tomorrow)["restricted"])
    assert await house.postman().round(), "not before its day"
    today = tomorrow - timedelta(days=1)
    await house.issue(father, generation=2)
    await house.tell(limits(father, pupils["Luca"], today)["restricted"])
    assert not await house.postman().round()
    lifted = GuardianshipRestrictionLifted(guardian=father, student=pupils["Luca"], note=note(father))
    await house.tell(lifted)
    assert await house.postman().round(), "nothing was refused for good"
    assert len(house.mailbox.received) == 2


async def test_another_child_keeps_the_mail_and_alone_is_named(house: House) -> None:
    father, pupils, _ = await father_of_two(house, Channel.email)
    await corrected(house, father, pupils["Marta"], data_access=True)
    await house.tell(limits(father, pupils["Luca"], local_day(house.now()))["restricted"])
    await house.postman().round()
    ((_, content),) = house.mailbox.received
    assert b"Marta" in content
    assert b"Luca" not in content


async def test_no_slip_is_printed_for_a_closed_guardianship(house: House) -> None:
    father, pupils, classes = await father_of_two(house, Channel.slip)
    await house.tell(limits(father, pupils["Luca"], local_day(house.now()))["reported"])
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        answer = await desk.post(f"/consegne/classi/{classes['1A']}/tagliandi", data={"holders": father})
        assert answer.status_code == 409
        wrong = WrongChildRejected(guardian=father, student=pupils["Luca"], note=note(father))
        await house.tell(wrong)
        answer = await desk.post(f"/consegne/classi/{classes['1A']}/tagliandi", data={"holders": father})
        assert answer.status_code == 200
