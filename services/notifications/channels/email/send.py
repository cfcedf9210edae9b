"""Handing a message to the mail server: one recipient a message, connections kept for the next one (S4, E3)."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from copy import copy
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from types import TracebackType
from typing import Final, Self

import aiosmtplib
import structlog

from services.notifications.channels.email.address import Mailbox, mailbox
from services.notifications.channels.email.dkim import DkimSigner
from services.notifications.channels.email.outcome import (
    NotReached,
    Refused,
    SendOutcome,
    Stage,
    by_reply,
)
from services.notifications.channels.email.server import MailServer, mail_server
from shared.contracts.notifications import DeliveryProblem

log = structlog.get_logger("custode.notifications.smtp")

_IDLE_LIMIT: Final = 60.0  # seconds; many servers hang up after one to five minutes
_PER_CONNECTION: Final = 100  # messages; many servers allow no more
RETURN_PATH: Final = "Return-Path"
_CLOSING: Final = 421
_ABOUT_US: Final = frozenset({530, 534, 535, 538})


class _Connection:
    """One connection, with what decides whether it may be used again."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.sent = 0
        self.last_used = time.monotonic()

    def reusable(self) -> bool:
        fresh = time.monotonic() - self.last_used < _IDLE_LIMIT
        return self.client.is_connected and fresh and self.sent < _PER_CONNECTION


class _Failure(Exception):
    """Ends an attempt with its outcome."""

    def __init__(self, outcome: SendOutcome) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


class SmtpSender:
    """Sends messages over at most `connections` connections at once, each reused; `timeout` in seconds, a message.

    Safe for concurrent use. Close it (or use it as an async context manager) to say goodbye to the server.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60.0,
        connections: int = 2,
        local_hostname: str | None = None,
        tls_context: ssl.SSLContext | None = None,
        signer: DkimSigner | None = None,
    ) -> None:
        self._server: MailServer = mail_server(url)
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._tls_context = tls_context
        self._signer = signer
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the idle connections politely; those in use end with their message."""
        while self._idle:
            await self._goodbye(self._idle.pop())

    async def send(self, message: EmailMessage, recipient: str) -> SendOutcome:
        """Hand `message` over for its one `recipient`, signed; its Return-Path, else its From, is the envelope's
        sender.

        Never raises for what the network or the server does: that is the outcome. Raises `BadAddress`, and
        `ValueError` when the message is addressed to anyone else (E3).
        """
        to = mailbox(recipient)
        _check_only_recipient(message, to)
        async with self._slots:
            outcome = await self._attempt(message, to)
        codes = {"code": outcome.code, "outcome": type(outcome).__name__}
        if isinstance(outcome, NotReached):
            codes |= {"stage": outcome.stage, "in_doubt": outcome.in_doubt}
        log.info("smtp", **codes)
        return outcome

    async def _attempt(self, message: EmailMessage, to: Mailbox) -> SendOutcome:
        progress = _Progress()
        try:
            async with asyncio.timeout(self._timeout):
                while self._idle:
                    connection = self._idle.pop()
                    if not connection.reusable():
                        await self._goodbye(connection)
                        continue
                    with suppress(_Stale):
                        return await self._deliver(connection, message, to, progress, reused=True)
                return await self._deliver(await self._connect(progress), message, to, progress, reused=False)
        except TimeoutError:
            return NotReached(progress.stage, in_doubt=progress.in_doubt)
        except _Failure as failure:
            return failure.outcome

    async def _connect(self, progress: "_Progress") -> _Connection:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "implicit",
            start_tls=False,
            timeout=self._timeout,
            local_hostname=self._local_hostname,
            tls_context=self._tls_context,
        )
        try:
            async with _closed_on_error(client):
                progress.stage = "connect"
                await client.connect()
                await client.ehlo()
                if server.tls == "required" or (
                    server.tls == "offered" and client.supports_extension("starttls")
                ):
                    progress.stage = "tls"
                    await client.starttls()
                    await client.ehlo()
                if server.username is not None:
                    progress.stage = "login"
                    await client.login(server.username, server.password or "")
        except aiosmtplib.SMTPResponseException as error:
            raise _Failure(NotReached(progress.stage, code=error.code)) from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError):
            raise _Failure(NotReached(progress.stage)) from None
        return _Connection(client)

    async def _deliver(
        self,
        connection: _Connection,
        message: EmailMessage,
        to: Mailbox,
        progress: "_Progress",
        *,
        reused: bool,
    ) -> SendOutcome:
        client = connection.client
        progress.stage = "envelope"
        try:
            async with _closed_on_error(client):
                outcome = await _transaction(client, message, to, progress, self._signer)
        except (aiosmtplib.SMTPException, OSError):
            if reused and progress.stage == "envelope":
                # The server hung up while nobody was looking; nothing of the message has left.
                raise _Stale from None
            return NotReached(progress.stage, in_doubt=progress.in_doubt)
        if reused and outcome.code == _CLOSING and progress.stage == "envelope":
            raise _Stale
        connection.sent += 1
        connection.last_used = time.monotonic()
        if connection.reusable():
            self._idle.append(connection)
        return outcome

    async def _goodbye(self, connection: _Connection) -> None:
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await connection.client.quit(timeout=2)
        connection.client.close()


class _Progress:
    """How far an attempt has got, so that a timeout can tell."""

    def __init__(self) -> None:
        self.stage: Stage = "connect"
        self.in_doubt = False


class _Stale(Exception):
    """A kept connection turned out to be dead before anything was said about this message."""


@asynccontextmanager
async def _closed_on_error(client: aiosmtplib.SMTP) -> AsyncIterator[None]:
    """A cancelled or broken dialogue leaves replies in flight: such a connection is never used again."""
    try:
        yield
    except BaseException:
        client.close()
        raise


async def _transaction(
    client: aiosmtplib.SMTP,
    message: EmailMessage,
    to: Mailbox,
    progress: _Progress,
    signer: DkimSigner | None,
) -> SendOutcome:
    """MAIL, RCPT, DATA. Raises `SMTPException` and `OSError` when the line, not the server, says no."""
    utf8 = to.international
    if utf8 and not client.supports_extension("smtputf8"):
        return Refused(None, "5.6.7", DeliveryProblem.rejected)
    options = ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []
    encoding = "utf-8" if utf8 else "ascii"
    try:
        await client.mail(_sender(message), options=options, encoding=encoding)
        await client.rcpt(str(to), encoding=encoding)
        content = _content(message, signer, utf8=utf8)
        progress.stage, progress.in_doubt = "data", True
        reply = await client.data(content)
    except aiosmtplib.SMTPResponseException as error:
        if error.code in _ABOUT_US:
            client.close()
            return NotReached("login", code=error.code)
        await _after_refusal(client, error.code)
        return by_reply(error.code, error.message)
    return by_reply(reply.code, reply.message)


async def _after_refusal(client: aiosmtplib.SMTP, code: int) -> None:
    """Make the connection fit for the next message, or close it."""
    if code == _CLOSING:
        client.close()
        return
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _sender(message: EmailMessage) -> str:
    if (return_path := message[RETURN_PATH]) is not None:
        return str(mailbox(str(return_path).strip("<> ")))
    (address,) = message["From"].addresses
    return str(mailbox(address.addr_spec))


def _content(message: EmailMessage, signer: DkimSigner | None, *, utf8: bool) -> bytes:
    """As it goes on the line. The return path is the envelope's: in the content it is for the last server to write."""
    letter = copy(message)
    del letter[RETURN_PATH]
    content = letter.as_bytes(policy=SMTPUTF8 if utf8 else SMTP)
    return content if signer is None else signer.signed(content)


def _check_only_recipient(message: EmailMessage, to: Mailbox) -> None:
    named = [
        address.addr_spec
        for header in ("To", "Cc", "Bcc", "Resent-To")
        for value in message.get_all(header, [])
        for address in value.addresses
    ]
    if len(named) != 1 or mailbox(named[0]) != to:
        raise ValueError("a message has exactly one recipient, the one it is addressed to")
