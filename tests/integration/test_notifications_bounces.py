"""What comes back: known by its return path, counted once, and what follows from it (S4, E3, M8)."""

import asyncio
import os
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deploy.engines import NatsEngine, PostgresEngine
from deploy.mailbox.returning import Returning
from deploy.mailbox.smtp import Faults, bounce, serve_smtp
from deploy.mailbox.store import MailStore
from services.notifications.bounce_mailbox import BounceReader, MaildirPlace, bounce_place
from services.notifications.bounces import Bounces, Taken
from services.notifications.bounces_api import BounceIntake
from services.notifications.channels.email.dkim import DkimSigner
from services.notifications.channels.email.send import SmtpSender
from services.notifications.return_paths import HEADER, ReturnPaths
from shared.contracts.identity import AccountRole, ShredReason
from shared.contracts.notifications import BounceKind, EmailBounced, ResendingReason, ResendRequested
from shared.contracts.policy import Channel
from shared.sealing import ClaimReason
from tests.browser_harness import free_port, served
from tests.integration.imap_server import ImapServer
from tests.integration.notifications_fixtures import OTHER_SCHOOL, SCHOOL, House, open_house
from tests.integration.notifications_web import Sessions, browser, front
from tests.integration.test_notifications_postman import family, read, text_of

PATHS = ReturnPaths.from_file
KEY = b"k" * 48


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        (tmp_path / "returns").write_bytes(os.urandom(32).hex().encode())
        opened.returns = PATHS(tmp_path / "returns", "bounce@scuole.example")
        yield opened


def returned(house: House, number: int = 0) -> bytes:
    """What the embedded mail server writes of the n-th message that it took."""
    recipients, content = house.mailbox.received[number]
    return bounce(content, recipients)


def bounces(house: House) -> Bounces:
    assert house.returns is not None
    return Bounces(house.runtime.commands, house.returns)


async def sent(house: House) -> str:
    """A mail that a server took; the delivery."""
    delivery = await house.issue(await family(house))
    assert await house.postman().round()
    return delivery


@pytest.mark.requirement("S4", part="VERP")
async def test_the_envelope_says_which_message_it_is(house: House) -> None:
    delivery = await sent(house)
    assert house.returns is not None
    (sender,) = house.mailbox.senders
    local, _, domain = sender.partition("@")
    assert (local.partition("+")[0], domain) == ("bounce", "scuole.example")
    named = house.returns.read(local.partition("+")[2])
    assert named is not None
    assert (named.kind, named.id, named.attempt) == ("delivery", delivery, 1)
    message = read(house.mailbox.received[0][1])
    assert message["Return-Path"] is None
    assert message[HEADER] == local.partition("+")[2]


@pytest.mark.requirement("S4", part="bounce once")
async def test_a_bounce_counts_once_however_often_it_comes(house: House) -> None:
    delivery = await sent(house)
    take = bounces(house).take
    assert await take(returned(house)) is Taken.counted
    assert await take(returned(house)) is Taken.known
    assert [await t for t in [asyncio.create_task(take(returned(house))) for _ in range(3)]] == [
        Taken.known
    ] * 3
    permanent = BounceKind.permanent
    assert await house.events(EmailBounced) == [
        EmailBounced(delivery=delivery, attempt=1, kind=permanent, status="5.1.1")
    ]
    assert await house.status(delivery) == "bounced"


async def test_what_does_not_fit_is_passed_over(house: House) -> None:
    delivery = await sent(house)
    take = bounces(house).take
    assert await take(b"\xff\x00 no mail at all") is Taken.no_report
    assert await take(returned(house).replace(b"Action: failed", b"Action: delayed")) is Taken.delayed
    stranger = Bounces(house.runtime.commands, ReturnPaths(b"x" * 32))
    assert await stranger.take(returned(house)) is Taken.not_ours, "nobody else makes our return paths"
    assert await house.status(delivery) == "accepted"


async def test_a_temporary_one_is_told_apart(house: House) -> None:
    await sent(house)
    assert await bounces(house).take(returned(house).replace(b"5.1.1", b"4.2.2")) is Taken.counted
    (event,) = await house.events(EmailBounced)
    assert isinstance(event, EmailBounced)
    assert (event.kind, event.status) == (BounceKind.temporary, "4.2.2")


async def test_the_mail_server_posts_it_with_its_key(house: House) -> None:
    delivery = await sent(house)
    app = front(house, Sessions())
    async with browser(app, accept="application/json") as client:
        path = "/api/notifications/bounces"
        assert (await client.post(path, content=returned(house))).status_code == 503, "none is set up"
        app.state.bounces = BounceIntake(bounces(house), KEY)
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY.decode()}):
            refused = await client.post(path, content=returned(house), headers=header)
            assert refused.status_code == 401
        assert await house.status(delivery) == "accepted"
        right = {"Authorization": f"Bearer {KEY.decode()}", "Content-Type": "message/rfc822"}
        for outcome in ("counted", "known"):
            answer = await client.post(path, content=returned(house), headers=right)
            assert (answer.status_code, answer.json()) == (200, {"outcome": outcome})
        assert (await client.post(path, content=b"", headers=right)).json() == {"outcome": "no_report"}
    assert await house.status(delivery) == "bounced"


async def test_a_maildir_is_read_and_nothing_in_it_is_lost(house: House, tmp_path: Path) -> None:
    delivery = await sent(house)
    folder = tmp_path / "Maildir"
    reader = BounceReader(MaildirPlace(folder), bounces(house).take)
    assert await reader.look() == 0
    (folder / "new" / "1.a.host").write_bytes(returned(house))
    (folder / "new" / "2.b.host").write_bytes(b"Subject: rispondo io\n\nCiao")
    assert await reader.look() == 2
    assert await reader.look() == 0, "what was read is seen"
    assert await house.status(delivery) == "bounced"
    assert len(list((folder / "cur").iterdir())) == 2


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer("rimbalzi", "segreta") as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


async def test_a_mailbox_is_read_over_imap(house: House, imap: ImapServer) -> None:
    delivery = await sent(house)
    place = bounce_place(f"imap://rimbalzi:segreta@127.0.0.1:{imap.port}/INBOX")
    reader = BounceReader(place, bounces(house).take)
    imap.mails = [b"Subject: ciao\r\n\r\nCiao", returned(house)]
    assert await reader.look() == 2
    assert await reader.look() == 0
    assert await house.status(delivery) == "bounced"
    wrong = BounceReader(bounce_place(f"imap://rimbalzi:no@127.0.0.1:{imap.port}"), bounces(house).take, 0.01)
    working = asyncio.create_task(wrong.work())
    while wrong.problem is None:
        await asyncio.sleep(0.02)
    assert "segreta" not in wrong.problem
    working.cancel()


@pytest.mark.parametrize(
    "url", ["maildir://host/x", "maildir:relative", "imaps://host/INBOX", "https://x:y@host", ""]
)
def test_a_place_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="bounces are read from"):
        bounce_place(url)


@pytest.mark.requirement("E3", part="slip instead of a bounce")
async def test_where_the_policy_is_not_exclusive_a_slip_stands_in(house: House) -> None:
    guardian = await family(house)
    await house.issue(guardian, Channel.email, exclusive=False)
    await house.postman().round()
    await bounces(house).take(returned(house))
    class_id = await house.store.pool.fetchval("select class_id from projections.classes_v1")
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        listed = (await desk.get(f"/api/notifications/classes/{class_id}/holders")).json()
        states = {row["holder"]: (row["state"], row["next_step"]) for row in listed}
        assert states[guardian] == ("bounced", "print")
        slip = await desk.post(f"/consegne/classi/{class_id}/tagliandi", data={"holders": guardian})
        assert slip.status_code == 200
        assert slip.content.startswith(b"%PDF")


@pytest.mark.requirement("E3", part="bounce and correction")
async def test_a_corrected_address_gets_the_same_secret_at_once(house: House) -> None:
    guardian = await family(house, "anna.verdi@example.org")
    delivery = await house.issue(guardian, pin="482913")
    await house.postman().round()
    await bounces(house).take(returned(house))
    class_id = await house.store.pool.fetchval("select class_id from projections.classes_v1")
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        listed = (await desk.get(f"/api/notifications/classes/{class_id}/holders")).json()
        standing = {row["holder"]: (row["state"], row["next_step"]) for row in listed}[guardian]
        assert standing == ("bounced", "correct_address")
        refused = await desk.post(f"/consegne/classi/{class_id}/tagliandi", data={"holders": guardian})
        assert refused.status_code == 409, "exclusive means exclusive, after a bounce too"
    await house.address_corrected(guardian, "anna.giusta@example.org")
    assert await house.postman().round()
    (first, second) = house.mailbox.received
    assert second[0] == ["anna.giusta@example.org"]
    assert text_of(read(first[1])) == text_of(read(second[1])), "the same secret"
    assert read(second[1])["Message-ID"] == f"<{delivery}.1@scuole.example>"
    (again,) = await house.events(ResendRequested)
    assert isinstance(again, ResendRequested)
    assert again.reason is ResendingReason.address_corrected
    assert await house.status(delivery) == "accepted"
    assert await bounces(house).take(returned(house)) is Taken.known, (
        "the old address says nothing of the new one"
    )
    assert await house.status(delivery) == "accepted"
    reasons = [claim.reason for claim in house.identity.claims]
    assert reasons == [ClaimReason.send, ClaimReason.resend]


async def test_a_correction_sends_nothing_where_all_is_well_or_over(house: House) -> None:
    guardian = await family(house)
    await house.issue(guardian)
    await house.postman().round()
    await house.address_corrected(guardian, "altra@example.org")
    assert await house.events(ResendRequested) == [], "it had arrived"
    await bounces(house).take(returned(house))
    await house.shred(guardian, ShredReason.expired)
    await house.address_corrected(guardian, "terza@example.org")
    assert await house.events(ResendRequested) == [], "nothing is left to send: the desk issues anew"


async def test_who_gave_no_address_gets_the_mail_when_the_desk_learns_it(house: House) -> None:
    guardian = await family(house, email=None)
    delivery = await house.issue(guardian)
    assert await house.status(delivery) == "refused"
    await house.address_corrected(guardian, "anna.verdi@example.org")
    await house.postman().round()
    assert await house.status(delivery) == "accepted"


@pytest.mark.requirement("M8", part="resend")
async def test_the_desk_sends_again_with_a_reason_while_the_secret_lives(house: House) -> None:
    delivery = await sent(house)
    sessions = Sessions()
    app = front(house, sessions)
    path = f"/consegne/recapiti/{delivery}/reinvio"
    async with browser(app, sessions.open("secretary")) as desk:
        assert "Parte un’altra e-mail" in (await desk.get(path)).text
        assert (await desk.post(path)).status_code == 422
        assert (await desk.post(path, data={"motivo": "address_corrected"})).status_code == 422
        assert (await desk.post(path, data={"motivo": "not_received"})).status_code == 303
        twice = await desk.post(path, data={"motivo": "not_received"})
        assert twice.status_code == 409, "it is on its way"
        await house.postman().round()
        assert len(house.mailbox.received) == 2
        told = (await desk.get(f"/consegne/recapiti/{delivery}")).text
        assert "Non risulta ricevuta" in told
        steps = (await desk.get(f"/api/notifications/deliveries/{delivery}")).json()["steps"]
        assert [s["kind"] for s in steps] == ["mail", "resend", "mail"]
        again = await desk.post(
            f"/api/notifications/deliveries/{delivery}/resend", json={"reason": "deleted"}
        )
        assert again.status_code == 202
    for roles, school in ((("teacher",), SCHOOL), (("guardian",), SCHOOL), (("auditor",), SCHOOL)):
        async with browser(app, sessions.open(*roles, school=school)) as other:  # type: ignore[arg-type]
            assert (await other.post(path, data={"motivo": "not_received"})).status_code == 403
    async with browser(app, sessions.open("secretary", school=OTHER_SCHOOL)) as other:
        assert (await other.post(path, data={"motivo": "not_received"})).status_code == 404
    assert len(await house.events(ResendRequested)) == 2


async def test_nothing_is_sent_again_once_the_secret_is_gone(house: House) -> None:
    guardian = await family(house)
    delivery = await house.issue(guardian)
    await house.postman().round()
    await house.shred(guardian)
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        answer = await desk.post(f"/consegne/recapiti/{delivery}/reinvio", data={"motivo": "not_received"})
    assert answer.status_code == 409
    assert "si emette di nuovo" in answer.text


@pytest.mark.requirement("E8", part="activated mailbox")
async def test_a_pupil_whose_mailbox_changes_gets_it_there_and_nowhere_else(house: House) -> None:
    await house.school()
    student = await house.pupil(await house.form_class(), "Rossi", "Giulia", "g@prevista.example")
    await house.account(student, AccountRole.pupil)
    await house.mailbox_activated(student, "g.sbagliata@scuola.example")
    delivery = await house.issue(student, Channel.institutional_mailbox, role=AccountRole.pupil)
    await house.postman().round()
    await bounces(house).take(returned(house))
    assert await house.status(delivery) == "bounced"
    await house.mailbox_activated(student, "g.rossi@scuola.example")
    await house.postman().round()
    assert [to for to, _ in house.mailbox.received] == [
        ["g.sbagliata@scuola.example"],
        ["g.rossi@scuola.example"],
    ]


@pytest.mark.requirement("S4", part="bounce over the wire, signed")
async def test_an_address_that_bounces_comes_back_from_a_real_server(house: House, tmp_path: Path) -> None:
    """The embedded mail server takes the signed mail, then returns it to whoever has the key."""
    delivery = await house.issue(await family(house, "respinta.anna@posta.example"))
    pem = tmp_path / "dkim.pem"
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "intake").write_bytes(KEY)
    signer = DkimSigner.from_file(pem, "scuole.example", "custode")
    port, smtp_port = free_port(), free_port()
    site = f"http://localhost:{port}"
    app = front(house, Sessions(), site)
    app.state.bounces = BounceIntake.from_file(bounces(house), tmp_path / "intake")
    store = MailStore(tmp_path / "mails")
    returning = Returning(f"{site}/api/notifications/bounces", tmp_path / "intake")
    server = await serve_smtp(store, Faults(), "127.0.0.1", smtp_port, returning)
    async with served(app, port), SmtpSender(f"smtp://127.0.0.1:{smtp_port}", signer=signer) as sender:
        house.sender = sender
        await house.postman().round()
        for _ in range(100):
            if await house.status(delivery) == "bounced":
                break
            await asyncio.sleep(0.1)
    server.close()
    assert await house.status(delivery) == "bounced"
    (kept,) = store.find("respinta.anna")[1]
    raw = store.raw(kept.id)
    assert raw is not None
    sent_as = raw.partition(b"Delivered-To: respinta.anna@posta.example\r\n")[2]
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert dkim.verify(sent_as, dnsfunc=lambda name, timeout=5: b"v=DKIM1; k=rsa; p=" + b64encode(public))
    headers = read(sent_as)
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Precedence"] is None, "no list, no bulk: one recipient a message"
    assert headers["List-Unsubscribe"] is None, "nobody unsubscribes from their own credentials"
