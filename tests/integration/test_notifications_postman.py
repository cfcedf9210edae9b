"""The postman against a real mail server: retries by reply code, at least once, one recipient a message."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.channels.email.outcome import NotReached, SendOutcome
from shared.contracts.identity import AccountRole, ShredReason
from shared.contracts.notifications import (
    DeliveryAttempted,
    DeliveryFailed,
    DeliveryProblem,
    DeliveryRefused,
    DeliveryRequested,
    DeliverySuperseded,
    EmailAccepted,
    EmailDeferred,
)
from shared.contracts.policy import Channel
from shared.sealing import ClaimRefusal
from shared.tasks import end
from tests.integration.notifications_fixtures import House, open_house


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


async def family(house: House, email: str | None = "anna.verdi@example.org") -> str:
    """One pupil, one guardian with an account; the guardian."""
    await house.school()
    class_id = await house.form_class()
    student = await house.pupil(class_id, "Verdi", "Luca")
    guardian = await house.guardian(student, "Verdi", "Anna", email)
    await house.account(guardian)
    return guardian


def read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_a_mail_reaches_its_holder_once(house: House) -> None:
    guardian = await family(house)
    delivery = await house.issue(guardian, pin="482913")
    postman = house.postman()
    assert await postman.round()
    assert not await postman.round()
    ((recipients, content),) = house.mailbox.received
    assert recipients == ["anna.verdi@example.org"]
    message = read(content)
    assert message["Message-ID"] == f"<{delivery}@scuole.example>"
    text = text_of(message)
    secret = house.secrets[await house.credential_of(guardian)]
    assert secret.password in text
    assert "482913" in text
    assert "/s/tigli-" in text
    assert "Luca Verdi" in text
    assert [type(e) for e in (await house.events())[1:]] == [
        DeliveryRequested,
        DeliveryAttempted,
        EmailAccepted,
    ]
    assert (await house.events(EmailAccepted)) == [EmailAccepted(delivery=delivery, attempt=1, code=250)]


async def test_every_step_names_its_cause(house: House) -> None:
    await house.issue(await family(house))
    await house.postman().round()
    _, requested, attempted, accepted = await house.history()
    assert attempted.causation == requested.id
    assert accepted.causation == attempted.id
    assert {r.correlation for r in (requested, attempted, accepted)} == {"c-test"}


async def test_450_is_tried_again_later_with_the_same_message(house: House) -> None:
    replies = {1: "450 4.2.1 later, please"}
    house.mailbox.answer = lambda _, n: replies.get(n, "250 OK")
    delivery = await house.issue(await family(house))
    await house.postman().round()
    (deferred,) = await house.events(EmailDeferred)
    assert isinstance(deferred, EmailDeferred)
    assert (deferred.code, deferred.problem) == (450, DeliveryProblem.server_busy)
    assert not await house.postman().round(), "not before its time"
    house.later = timedelta(minutes=2)
    assert await house.postman().round()
    ((_, content),) = house.mailbox.received
    assert read(content)["Message-ID"] == f"<{delivery}@scuole.example>"
    assert await house.events(EmailAccepted) == [EmailAccepted(delivery=delivery, attempt=2, code=250)]


async def test_550_is_final_and_visible(house: House) -> None:
    house.mailbox.answer = lambda *_: "550 5.1.1 no such user here"
    delivery = await house.issue(await family(house))
    await house.postman().round()
    unknown = DeliveryProblem.mailbox_unknown
    assert await house.events(DeliveryFailed) == [
        DeliveryFailed(delivery=delivery, attempt=1, code=550, problem=unknown)
    ]
    house.later = timedelta(days=2)
    assert not await house.postman().round()
    assert await house.status(delivery) == "failed"


async def test_a_dropped_line_is_tried_again(house: House) -> None:
    house.mailbox.answer = lambda _, n: None if n == 1 else "250 OK"
    delivery = await house.issue(await family(house))
    await house.postman().round()
    (deferred,) = await house.events(EmailDeferred)
    assert isinstance(deferred, EmailDeferred)
    assert deferred.problem is DeliveryProblem.not_reached
    house.later = timedelta(minutes=2)
    await house.postman().round()
    assert await house.status(delivery) == "accepted"
    assert len(house.mailbox.received) == 1


class Dies(Exception):
    """The process ended here."""


async def test_a_crash_after_the_server_took_it_sends_the_same_message_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = await house.issue(await family(house))
    postman = house.postman()
    really_send = house.sender.send

    async def send_and_die(message: EmailMessage, recipient: str) -> SendOutcome:
        await really_send(message, recipient)
        raise Dies

    monkeypatch.setattr(house.sender, "send", send_and_die)
    with pytest.raises(Dies):
        await postman.round()
    assert await house.status(delivery) == "attempting"
    monkeypatch.setattr(house.sender, "send", really_send)
    await house.postman().round()
    (_, first), (_, second) = house.mailbox.received
    assert read(first)["Message-ID"] == read(second)["Message-ID"] == f"<{delivery}@scuole.example>"
    assert text_of(read(first)) == text_of(read(second)), "the same secret"
    assert await house.status(delivery) == "accepted"
    assert [e.attempt for e in await house.events(DeliveryAttempted) if isinstance(e, DeliveryAttempted)] == [
        1,
        2,
    ]


@pytest.mark.parametrize("told", [True, False])
async def test_an_attempt_that_a_crash_cut_short_has_an_outcome_also_after_the_secret_ended(
    house: House, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """Also when the end of the secret was heard of while it was not known whether a message was on its way."""

    async def die(message: EmailMessage, recipient: str) -> SendOutcome:
        raise Dies

    guardian = await family(house)
    delivery = await house.issue(guardian)
    with monkeypatch.context() as dying, pytest.raises(Dies):
        dying.setattr(house.sender, "send", die)
        await house.postman().round()
    house.later = timedelta(days=15)
    if told:
        await house.shred(guardian, ShredReason.expired)
    else:
        house.identity.slips[await house.credential_of(guardian)] = ClaimRefusal.expired
    assert await house.status(delivery) == "attempting"
    await house.postman().round()
    assert await house.status(delivery) == "superseded"
    assert house.mailbox.received == []


async def test_without_an_address_nothing_is_sent_and_nothing_else_is_tried(house: House) -> None:
    delivery = await house.issue(await family(house, email=None))
    assert await house.events(DeliveryRefused) == [
        DeliveryRefused(delivery=delivery, problem=DeliveryProblem.no_address)
    ]
    assert not await house.postman().round()
    assert house.identity.claims == []


async def test_two_parents_with_one_mailbox_get_a_message_each(house: House) -> None:
    await house.school()
    student = await house.pupil(await house.form_class(), "Neri", "Sara")
    for given in ("Paola", "Marco"):
        parent = await house.guardian(student, "Neri", given, "famiglia.neri@example.org")
        await house.account(parent)
        await house.issue(parent)
    while await house.postman().round():
        pass
    assert [to for to, _ in house.mailbox.received] == [["famiglia.neri@example.org"]] * 2
    messages = [read(content) for _, content in house.mailbox.received]
    assert len({m["Message-ID"] for m in messages}) == 2
    assert len({text_of(m) for m in messages}) == 2
    assert {str(m["To"].addresses[0].display_name) for m in messages} == {"Paola Neri", "Marco Neri"}


async def test_a_pupil_is_reached_at_the_institutional_mailbox_only(house: House) -> None:
    await house.school()
    class_id = await house.form_class()
    for active in (True, False):
        planned = "rossi.giulia@prevista.example"
        student = await house.pupil(class_id, "Rossi", "Giulia", planned)
        if active:
            await house.mailbox_activated(student, "rossi.giulia@scuola.example")
        await house.guardian(student, "Rossi", "Ada", "ada.rossi@example.org")
        await house.account(student, AccountRole.pupil)
        await house.issue(student, Channel.institutional_mailbox, role=AccountRole.pupil)
    while await house.postman().round():
        pass
    assert [to for to, _ in house.mailbox.received] == [["rossi.giulia@scuola.example"]]
    assert len(await house.events(DeliveryRefused)) == 1


async def test_the_first_address_stands(house: House) -> None:
    guardian = await family(house, "anna.verdi@example.org")
    sibling = await house.pupil(await house.form_class("2B"), "Verdi", "Pia")
    await house.guardian(sibling, "Verdi", "Anna", "altro@example.org", guardian=guardian)
    await house.issue(guardian)
    await house.postman().round()
    ((recipients, content),) = house.mailbox.received
    assert recipients == ["anna.verdi@example.org"]
    assert "Luca Verdi" in text_of(read(content))
    assert "Pia Verdi" in text_of(read(content))


async def test_identity_down_means_wait(house: House) -> None:
    delivery = await house.issue(await family(house))
    house.identity.silent = True
    waiting = asyncio.create_task(house.postman().round())
    await asyncio.wait_for(waiting, 15)
    assert await house.events(DeliveryAttempted) == []
    assert await house.status(delivery) == "requested"
    house.identity.silent = False
    await house.postman().round()
    assert await house.status(delivery) == "accepted"


async def test_what_was_used_or_replaced_is_not_sent(house: House) -> None:
    guardian = await family(house)
    first = await house.issue(guardian)
    second = await house.issue(guardian, generation=2)
    assert await house.events(DeliverySuperseded) == [DeliverySuperseded(delivery=first)]
    await house.shred(guardian, ShredReason.first_access)
    assert await house.status(second) == "superseded"
    assert not await house.postman().round()
    assert house.mailbox.received == []


async def test_a_slip_that_is_gone_settles_its_delivery(house: House) -> None:
    guardian = await family(house)
    delivery = await house.issue(guardian)
    house.identity.slips[await house.credential_of(guardian)] = ClaimRefusal.gone
    await house.postman().round()
    assert await house.status(delivery) == "superseded"
    assert house.mailbox.received == []


async def test_claimed_too_often_is_given_up_visibly(house: House) -> None:
    guardian = await family(house)
    delivery = await house.issue(guardian)
    house.identity.slips[await house.credential_of(guardian)] = ClaimRefusal.too_many_claims
    await house.postman().round()
    assert await house.status(delivery) == "failed"


async def test_one_postman_works_at_a_time(house: House) -> None:
    await house.issue(await family(house))
    first, second = house.postman(), house.postman()
    tasks = [asyncio.create_task(p.work()) for p in (first, second)]
    for _ in range(100):
        await asyncio.sleep(0.05)
        if house.mailbox.received and any(p.reachable is not None for p in (first, second)):
            break
    assert len(house.mailbox.received) == 1
    assert sorted(p.reachable is None for p in (first, second)) == [False, True]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_service_that_stops_says_how_its_last_mail_ended(house: House) -> None:
    house.mailbox.slow = 1.2
    delivery = await house.issue(await family(house))
    working = asyncio.create_task(house.postman().work())
    while not house.mailbox.asked:
        await asyncio.sleep(0.02)
    await end(working)
    assert len(house.mailbox.received) == 1
    assert await house.status(delivery) == "accepted"


async def test_with_the_mail_server_away_one_mail_at_a_time_is_tried(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.school()
    class_id = await house.form_class()
    for n in range(5):
        guardian = await house.guardian(
            await house.pupil(class_id, f"Alunno{n}", "Prova"), "Genitore", "Prova", f"g{n}@example.org"
        )
        await house.account(guardian)
        await house.issue(guardian)

    async def away(message: EmailMessage, recipient: str) -> SendOutcome:
        return NotReached("connect")

    with monkeypatch.context() as server:
        server.setattr(house.sender, "send", away)
        postman = house.postman()
        await postman.round()
        await postman.round()
    assert len(await house.events(DeliveryAttempted)) == 2
    assert {e.problem for e in await house.events(EmailDeferred) if isinstance(e, EmailDeferred)} == {
        DeliveryProblem.not_reached
    }
    while await postman.round():
        pass
    assert len(house.mailbox.received) == 3
    house.later = timedelta(minutes=2)
    while await postman.round():
        pass
    assert len(house.mailbox.received) == 5


async def test_a_secret_sealed_to_a_key_that_is_not_here_is_held_and_told(house: House) -> None:
    delivery = await house.issue(await family(house))
    house.settings.epoch_keys_file.rename(house.settings.epoch_keys_file.with_name("elsewhere"))
    postman = house.postman()
    await postman.round()
    assert postman.key_missing
    assert await house.status(delivery) == "requested"
    assert not await postman.round(), "it is not asked for again at once"
    house.settings.epoch_keys_file.with_name("elsewhere").rename(house.settings.epoch_keys_file)
    await house.postman().round()
    assert await house.status(delivery) == "accepted"


async def test_what_is_no_address_fails_and_says_so(house: House) -> None:
    delivery = await house.issue(await family(house, "non è un indirizzo"))
    await house.postman().round()
    invalid = DeliveryProblem.address_invalid
    assert await house.events(DeliveryFailed) == [
        DeliveryFailed(delivery=delivery, attempt=1, code=None, problem=invalid)
    ]


async def test_a_hundred_mails_in_one_round_trip_of_claims(house: House) -> None:
    await house.school()
    class_id = await house.form_class()
    for n in range(12):
        student = await house.pupil(class_id, f"Alunno{n:02}", "Prova")
        guardian = await house.guardian(student, f"Alunno{n:02}", "Genitore", f"g{n}@example.org")
        await house.account(guardian)
        await house.issue(guardian)
    postman = house.postman()
    while await postman.round():
        pass
    assert len(house.mailbox.received) == 12
    assert [len(c.credentials) for c in house.identity.claims] == [1, 11]
    assert len(await house.events(EmailAccepted)) == 12
