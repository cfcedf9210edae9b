"""Who was delivered credentials and never signed in is reminded: by the policy, twice at most, without a secret."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.bounces import Bounces, Taken
from services.notifications.channels.email.address import mailbox
from services.notifications.channels.email.pace import Pace
from services.notifications.notices import NoticePostman
from services.notifications.post_office import PostOffice
from services.notifications.reminders import Reminders, remind_class
from services.notifications.return_paths import ReturnPaths
from services.notifications.sending import Sending
from shared.contracts.event import Personal
from shared.contracts.identity import AccountRole, FirstAccessCompleted, LanguageChosen
from shared.contracts.notifications import (
    NoticeAttempted,
    NoticeBounced,
    NoticeDeferred,
    NoticeFailed,
    NoticeRequested,
    ReminderSent,
)
from shared.contracts.policy import EMAIL, PAPER, Channel
from shared.contracts.registry import ContactAddress, InstitutionalMailboxActivated
from shared.database import AdvisoryLock
from tests.integration.notifications_fixtures import SCHOOL, SITE, House, open_house
from tests.integration.notifications_web import Sessions, browser, front
from tests.integration.test_notifications_bounces import returned


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


def notices(house: House) -> NoticePostman:
    office = PostOffice(SITE, "custode@scuole.example", "scuole.example", pace=60_000, returns=house.returns)
    lock = AdvisoryLock(house.settings.database_url.get_secret_value(), "notices")
    sending = Sending(house.sender, office, Pace(office.pace), house.now)
    return NoticePostman(house.runtime.commands, sending, lock, office, house.now, trouble_seconds=0.05)


def reminders(house: House) -> Reminders:
    lock = AdvisoryLock(house.settings.database_url.get_secret_value(), "reminders")
    return Reminders(house.store, lock, house.now)


async def all_sent(house: House) -> None:
    postman = house.postman()
    while await postman.round():
        pass
    notice_postman = notices(house)
    while await notice_postman.round():
        pass


async def days_pass(house: House, days: int) -> None:
    """Everything that was written so far happened so many days earlier."""
    for table, columns in (
        ("deliveries_v1", ("requested_at", "changed_at")),
        ("notices_v1", ("requested_at", "changed_at")),
        ("accounts_v1", ("issued_at", "expires")),
    ):
        moved = ", ".join(f"{column} = {column} - make_interval(days => $1)" for column in columns)
        await house.store.pool.execute(f"update projections.{table} set {moved}", days)  # noqa: S608


def mails(house: House) -> list[EmailMessage]:
    return [message_from_bytes(raw, policy=default) for _, raw in house.mailbox.received]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def a_mother(house: House, email: str = "irene@example.org", language: str | None = None) -> str:
    await house.school(EMAIL)
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Bianchi", "Luca")
    mother = await house.guardian(student, "Bianchi", "Irene", email, language=language)
    await house.account(mother)
    return mother


@pytest.mark.requirement("M7", part="reminder")
async def test_a_reminder_after_the_days_of_the_policy_twice_and_never_again(house: House) -> None:
    mother = await a_mother(house)
    await house.issue(mother, days=60, pin="482913")
    await all_sent(house)
    loop = reminders(house)
    assert await loop.round() == 0
    await days_pass(house, 6)
    assert await loop.round() == 0
    await days_pass(house, 1)
    assert await loop.round() == 1
    assert await loop.round() == 0
    await all_sent(house)
    _, reminder = mails(house)
    said = text_of(reminder)
    assert reminder["To"].addresses[0].addr_spec == "irene@example.org"
    assert "La aspetta" in str(reminder["Subject"])
    assert f"{SITE}/s/tigli-" in said
    assert "solo in casi eccezionali e motivati" in said
    secret = house.secrets[await house.credential_of(mother)]
    for hidden in (secret.password, str(secret.pin), "482913"):
        assert hidden not in reminder.as_string()
    (sent,) = await house.events(ReminderSent)
    assert isinstance(sent, ReminderSent)
    assert (sent.holder, sent.number, sent.account) == (mother, 1, f"account-{mother}")
    assert await loop.round() == 0
    await days_pass(house, 7)
    assert await loop.round() == 1
    await days_pass(house, 20)
    assert await loop.round() == 0
    await all_sent(house)
    assert [e.number for e in await house.events(ReminderSent) if isinstance(e, ReminderSent)] == [1, 2]


async def test_nobody_who_signed_in_and_nothing_that_ended_is_reminded_of(house: House) -> None:
    mother = await a_mother(house)
    await house.issue(mother, days=10)
    await all_sent(house)
    await days_pass(house, 11)
    assert await reminders(house).round() == 0
    await house.issue(mother, days=30)
    await all_sent(house)
    await days_pass(house, 8)
    assert await reminders(house).round() == 1
    # They sign in before the message leaves: it does not leave.
    before = len(mails(house))
    credential = await house.credential_of(mother)
    await house.tell(FirstAccessCompleted(account=f"account-{mother}", credential=credential))
    await all_sent(house)
    assert len(mails(house)) == before
    (dropped,) = await house.events(NoticeFailed)
    assert isinstance(dropped, NoticeFailed)
    assert dropped.problem == "no_longer_available"
    assert await house.events(ReminderSent) == []


async def test_a_policy_without_reminders_sends_none_until_the_desk_asks(house: House) -> None:
    await house.school(PAPER.model_copy(update={"reminder_days": None}))
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Bianchi", "Luca")
    father = await house.guardian(student, "Bianchi", "Paolo", "paolo@example.org", language="ro")
    await house.account(father)
    await house.account(student, AccountRole.pupil)
    await house.issue(father, Channel.slip, exclusive=False, days=30)
    await house.issue(student, Channel.slip, role=AccountRole.pupil, exclusive=False, days=30)
    sessions = Sessions()
    secretary = sessions.open("secretary")
    async with browser(front(house, sessions), secretary) as page:
        printed = await page.post(f"/consegne/classi/{class_id}/tagliandi")
        assert printed.status_code == 200
        await days_pass(house, 40)
        assert await reminders(house).round() == 0
        await house.store.pool.execute(
            "update projections.accounts_v1 set expires = expires + interval '60 days'"
        )
        assert "Ricordalo a 1 persona" in (await page.get(f"/consegne/classi/{class_id}")).text
        asked = await page.post(f"/consegne/classi/{class_id}/promemoria")
        assert asked.headers["location"].endswith("?promemoria=1")
        back = (await page.get(asked.headers["location"])).text
        assert "Promemoria per 1 persona" in back
        assert "Ricordalo a" not in back
        again = await page.post(f"/api/notifications/classes/{class_id}/reminders")
        assert (again.status_code, again.json()) == (202, {"reminded": 0})
    await all_sent(house)
    (reminder,) = mails(house)
    assert "vă așteaptă" in str(reminder["Subject"])
    assert "tipărite pe o foaie" in text_of(reminder)
    assert "vă pregătește altele noi" in text_of(reminder)
    # A pupil whose mailbox is active is reachable too; their language is the one they chose.
    box: Personal[ContactAddress] = Personal(
        person=student, value=ContactAddress(email="luca@scuola.example")
    )
    await house.tell(
        InstitutionalMailboxActivated(student=student, mailbox=box),
        LanguageChosen(account=f"account-{student}", holder=student, language="en"),
    )
    done = await remind_class(house.store, SCHOOL, [class_id], house.now(), "account-desk")
    assert done.holders == (student,)
    await all_sent(house)
    assert "is waiting for you" in str(mails(house)[-1]["Subject"])


async def test_others_may_not_remind(house: House) -> None:
    await house.school(EMAIL)
    class_id = await house.form_class()
    sessions = Sessions()
    app = front(house, sessions)
    for token, status in (
        (None, 401),
        (sessions.open("teacher"), 403),
        (sessions.open("guardian"), 403),
        (sessions.open("secretary", school="MIIS00100A"), 404),
    ):
        async with browser(app, token, accept="application/json") as page:
            answer = await page.post(f"/api/notifications/classes/{class_id}/reminders")
            assert answer.status_code == status
    assert await house.events(NoticeRequested) == []


async def test_deferred_then_accepted_with_one_message_id_and_bounced_once(house: House) -> None:
    mother = await a_mother(house)
    await house.issue(mother, days=60)
    await all_sent(house)
    await days_pass(house, 8)
    assert await reminders(house).round() == 1
    house.mailbox.answer = lambda _, n: "450 4.2.0 later"
    postman = notices(house)
    assert await postman.round()
    (deferred,) = await house.events(NoticeDeferred)
    assert isinstance(deferred, NoticeDeferred)
    assert not await postman.round()
    house.mailbox.answer = lambda _, n: "250 taken"
    house.later = timedelta(minutes=2)
    assert await postman.round()
    reminder = mails(house)[-1]
    assert reminder["Message-ID"] == f"<{deferred.notice}@scuole.example>"
    assert len(await house.events(ReminderSent)) == 1
    assert await house.events(NoticeBounced) == []


@pytest.mark.requirement("S4", part="a notice that comes back")
async def test_what_comes_back_is_known_by_its_return_path(house: House) -> None:
    house.returns = ReturnPaths(b"k" * 32, mailbox("bounce@scuole.example"))
    mother = await a_mother(house)
    await house.issue(mother, days=60)
    await all_sent(house)
    await days_pass(house, 8)
    await reminders(house).round()
    await all_sent(house)
    bounces = Bounces(house.runtime.commands, house.returns)
    for taken in (Taken.counted, Taken.known):
        assert await bounces.take(returned(house, 1)) is taken
    (bounced,) = await house.events(NoticeBounced)
    assert isinstance(bounced, NoticeBounced)
    assert (bounced.attempt, bounced.kind) == (1, "permanent")
    assert await house.store.pool.fetchval("select status from projections.notices_v1") == "bounced"
    assert not await notices(house).round()


async def test_an_attempt_that_a_crash_cut_short_is_made_again_as_the_same_message(house: House) -> None:
    mother = await a_mother(house)
    await house.issue(mother, days=60)
    await all_sent(house)
    await days_pass(house, 8)
    await reminders(house).round()
    first = notices(house)
    house.mailbox.slow = 0.3
    task = asyncio.create_task(first.round())
    while len(mails(house)) < 2:
        await asyncio.sleep(0.01)
    # As a kill would: neither the outcome nor a farewell is written.
    first._commands = None  # type: ignore[assignment]
    house.mailbox.slow = 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await house.store.pool.fetchval("select status from projections.notices_v1") == "attempting"
    assert await notices(house).round()
    one, two = mails(house)[1:]
    assert one["Message-ID"] == two["Message-ID"]
    assert len(await house.events(NoticeAttempted)) == 2
    assert len(await house.events(ReminderSent)) == 1
