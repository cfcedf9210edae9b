"""Sending over real SMTP on loopback: outcomes by reply, broken lines, reuse, TLS, and silence in the logs."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.mailbox.smtp import Faults, serve_smtp
from deploy.mailbox.store import MailStore
from services.notifications.channels.email.compose import compose
from services.notifications.channels.email.outcome import Accepted, Deferred, NotReached, Refused, SendOutcome
from services.notifications.channels.email.send import SmtpSender
from shared.contracts.notifications import DeliveryProblem as Problem
from tests.unit.test_email_compose import a_mail

Serve = Callable[..., Any]


class Recorder:
    """A server's handler that takes everything, or says what it is told to."""

    def __init__(self, **says: str) -> None:
        self.says = says
        self.took: list[Envelope] = []
        self.peers: set[object] = set()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.peers.add(session.peer)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.says.get("mail", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.says.get("rcpt", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.took.append(envelope)
        return self.says.get("data", "250 2.0.0 OK")


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[asyncio.Server] = []

    async def start(make: Callable[[], asyncio.Protocol], **options: Any) -> int:
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, **options)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[tuple[int, MailStore]]:
    store = MailStore(tmp_path / "mail")
    server = await serve_smtp(store, Faults(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], store
    server.close()


def sender(port: int, **options: Any) -> SmtpSender:
    url = options.pop("url", f"smtp://127.0.0.1:{port}")
    return SmtpSender(url, local_hostname="localhost", **({"timeout": 5.0} | options))


async def send(smtp: SmtpSender, recipient: str = "giulia@example.org", delivery: str = "d1") -> SendOutcome:
    return await smtp.send(compose(a_mail(recipient=recipient, delivery_id=delivery)), recipient)


def with_handler(handler: object, **options: Any) -> Callable[[], asyncio.Protocol]:
    return lambda: SMTP(handler, hostname="localhost", loop=asyncio.get_running_loop(), **options)


@pytest.mark.requirement("S4", part="smtp")
async def test_an_accepted_message_arrives_whole_for_its_one_recipient(box: tuple[int, MailStore]) -> None:
    port, store = box
    async with sender(port) as smtp:
        assert await send(smtp) == Accepted(250, "2.0.0")
    total, (entry,) = store.find("giulia")
    assert total == 1
    assert entry.to == ("giulia@example.org",)
    assert entry.message_id == "<d1@custode.example.it>"
    message = store.message(entry.id)
    assert message is not None
    assert message["Return-Path"] == "<registro@custode.example.it>"
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "k7mq-2xph-w9rt-b4cn" in plain.get_content()


@pytest.mark.requirement("S4", part="reply codes over the wire")
@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("a+reply450@example.org", Deferred(450, "4.2.0", Problem.server_busy)),
        ("a+reply452@example.org", Deferred(452, "4.2.2", Problem.mailbox_full)),
        ("a+reply550@example.org", Refused(550, "5.1.1", Problem.mailbox_unknown)),
        ("a+reply554@example.org", Refused(554, "5.0.0", Problem.rejected)),
        ("a+hangup@example.org", NotReached("envelope")),
        ("a+drop@example.org", NotReached("data", in_doubt=True)),
    ],
)
async def test_the_outcome_follows_the_servers_reply(
    box: tuple[int, MailStore], recipient: str, expected: SendOutcome
) -> None:
    port, store = box
    async with sender(port) as smtp:
        assert await send(smtp, recipient) == expected
        assert isinstance(await send(smtp), Accepted), "the next message is not harmed"
    assert store.find("a+")[0] == (1 if expected == NotReached("data", in_doubt=True) else 0)


async def test_a_repeat_after_a_lost_answer_is_recognisable(box: tuple[int, MailStore]) -> None:
    port, store = box
    async with sender(port) as smtp:
        assert await send(smtp, "a+dropx1@example.org") == NotReached("data", in_doubt=True)
        assert isinstance(await send(smtp, "a+dropx1@example.org"), Accepted)
    total, found = store.find("a+dropx1")
    assert total == 2
    assert len({entry.message_id for entry in found}) == 1


async def test_deferred_twice_then_taken(box: tuple[int, MailStore]) -> None:
    port, _ = box
    async with sender(port) as smtp:
        kinds = [type(await send(smtp, "a+reply450x2@example.org")) for _ in range(3)]
    assert kinds == [Deferred, Deferred, Accepted]


async def test_a_slow_answer_is_waited_for_and_a_bounce_goes_to_the_sender(
    box: tuple[int, MailStore],
) -> None:
    port, store = box
    async with sender(port, timeout=0.5) as hasty, sender(port) as patient:
        assert await send(hasty, "a+delay1@example.org") == NotReached("data", in_doubt=True)
        assert isinstance(await send(patient, "a+delay1@example.org"), Accepted)
        assert isinstance(await send(patient, "b+bounce@example.org"), Accepted)
    (kept,) = store.find("b+bounce")[1]
    (report,) = [e for e in store.find()[1] if e.subject.startswith("Undelivered")]
    message, answer = store.message(kept.id), store.message(report.id)
    assert message is not None and answer is not None
    assert report.to == (message["Return-Path"].strip("<>"),)
    parts = list(answer.iter_parts())
    assert [part.get_content_type() for part in parts][1] == "message/delivery-status"
    assert "Final-Recipient: rfc822; b+bounce@example.org" in parts[1].as_string()
    assert kept.message_id in parts[2].as_string()


async def test_a_content_refusal_is_final_and_the_servers_words_are_dropped(serve: Serve) -> None:
    port = await serve(with_handler(Recorder(data="554 5.7.1 <giulia@example.org> k7mq looks like spam")))
    async with sender(port) as smtp:
        outcome = await send(smtp)
    assert outcome == Refused(554, "5.7.1", Problem.rejected)
    assert "giulia" not in repr(outcome)


async def test_what_the_server_says_about_us_is_not_a_refusal_of_the_recipient(serve: Serve) -> None:
    port = await serve(with_handler(Recorder(mail="530 5.7.0 Authentication required")))
    async with sender(port) as smtp:
        assert await send(smtp) == NotReached("login", code=530)
    port = await serve(with_handler(Recorder(mail="421 4.3.2 closing")))
    async with sender(port) as smtp:
        assert await send(smtp) == Deferred(421, "4.3.2", Problem.server_busy)


async def test_nobody_listens_or_someone_is_silent(serve: Serve, unused_port: int) -> None:
    async with sender(unused_port) as smtp:
        assert await send(smtp) == NotReached("connect")
    port = await serve(asyncio.Protocol)
    async with sender(port, timeout=0.3) as smtp:
        assert await send(smtp) == NotReached("connect")


async def test_a_server_that_stalls_after_the_content_leaves_it_in_doubt(serve: Serve) -> None:
    class Stalling(Recorder):
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            await asyncio.sleep(3)
            return "250 OK"

    port = await serve(with_handler(Stalling()))
    async with sender(port, timeout=0.5) as smtp:
        assert await send(smtp) == NotReached("data", in_doubt=True)


async def test_connections_are_kept_and_bounded(serve: Serve) -> None:
    handler = Recorder()
    port = await serve(with_handler(handler))
    async with sender(port, connections=2) as smtp:
        outcomes = await asyncio.gather(*(send(smtp, delivery=f"d{n}") for n in range(20)))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(handler.took) == 20
    assert len(handler.peers) <= 2


async def test_a_kept_connection_that_died_is_replaced_unseen(serve: Serve) -> None:
    handler = Recorder()
    port = await serve(with_handler(handler, timeout=0.2))
    async with sender(port) as smtp:
        assert isinstance(await send(smtp), Accepted)
        await asyncio.sleep(0.6)
        assert isinstance(await send(smtp, delivery="d2"), Accepted)
    assert len(handler.took) == 2
    assert len(handler.peers) == 2


async def test_an_international_local_part_needs_a_server_that_offers_it(serve: Serve) -> None:
    handler = Recorder()
    offering = await serve(with_handler(handler, enable_SMTPUTF8=True))
    async with sender(offering) as smtp:
        assert isinstance(await send(smtp, "josé@exämple.org"), Accepted)
    assert handler.took[0].rcpt_tos == ["josé@xn--exmple-cua.org"]
    assert "SMTPUTF8" in handler.took[0].mail_options
    without = await serve(with_handler(handler))
    async with sender(without) as smtp:
        assert await send(smtp, "josé@example.org") == Refused(None, "5.6.7", Problem.rejected)
        assert isinstance(await send(smtp), Accepted)
    assert len(handler.took) == 2


@pytest.mark.requirement("E3", part="one recipient")
async def test_a_message_goes_to_nobody_but_the_one_it_names(box: tuple[int, MailStore]) -> None:
    port, store = box
    async with sender(port) as smtp:
        with pytest.raises(ValueError, match="exactly one recipient"):
            await smtp.send(compose(a_mail()), "another@example.org")
        copied = compose(a_mail())
        copied["Cc"] = "another@example.org"
        with pytest.raises(ValueError, match="exactly one recipient"):
            await smtp.send(copied, "giulia@example.org")
    assert store.find()[0] == 0


async def test_a_login_only_travels_over_tls(
    serve: Serve, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server_tls, client_tls = tls
    seen: list[bytes] = []

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        seen.append(data.password)
        return AuthResult(success=data.password == b"right", handled=False)

    handler = Recorder()
    port = await serve(with_handler(handler, tls_context=server_tls, authenticator=check, auth_required=True))
    url = "smtp://relay:{}@localhost:{}?starttls=required"
    async with sender(port, url=url.format("right", port), tls_context=client_tls) as smtp:
        assert isinstance(await send(smtp), Accepted)
    async with sender(port, url=url.format("wrong", port), tls_context=client_tls) as smtp:
        assert await send(smtp) == NotReached("login", code=535)
    assert set(seen) == {b"right", b"wrong"}
    tried = len(seen)
    # A certificate that nobody vouches for, and a server without TLS: no password leaves.
    async with sender(port, url=url.format("right", port)) as smtp:
        assert await send(smtp) == NotReached("tls")
    plain = await serve(with_handler(handler, authenticator=check, auth_require_tls=False))
    async with sender(plain, url=url.format("right", plain)) as smtp:
        assert await send(smtp) == NotReached("tls")
    assert len(seen) == tried


async def test_tls_from_the_first_byte(serve: Serve, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_tls, client_tls = tls
    handler = Recorder()
    port = await serve(with_handler(handler), ssl=server_tls)
    async with sender(port, url=f"smtps://localhost:{port}", tls_context=client_tls) as smtp:
        assert isinstance(await send(smtp), Accepted)


@pytest.mark.requirement("B1", part="mail logs")
async def test_logs_hold_no_address_and_no_secret(
    box: tuple[int, MailStore], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    port, _ = box
    caplog.set_level(logging.DEBUG)
    async with sender(port) as smtp:
        for recipient in ("giulia@example.org", "giulia+reply550@example.org", "giulia+drop@example.org"):
            await send(smtp, recipient)
    said = caplog.text + "".join(capsys.readouterr())
    assert said
    for hidden in ("giulia", "Giulia", "Anna", "k7mq", "h4wd9tnp", "482913"):
        assert hidden not in said


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate of its own, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(file)
    client.load_verify_locations(file)
    return server, client
