"""The SMTP side: takes what comes, or answers as the address asks, so that faults can be rehearsed.

An address whose local part ends in ``+reply450`` is answered 450 (any 4xx or 5xx), one in ``+hangup`` loses the
line before the content, one in ``+drop`` after the content was taken and before the answer: then nobody can know.
``+delay5`` waits five seconds before it answers for the content; ``+bounce`` takes the message and then tells its
sender, by mail, that it could not be delivered (RFC 3464). So do addresses whose local part is, or begins with, ``respinta``
or ``inesistente`` (5.1.1), and ``piena`` (4.2.2: full for too long). ``x2`` behind any of them (``+reply450x2``) does so twice
and then takes the message.
"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Sequence
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP as SMTP_POLICY
from functools import partial
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.mailbox.returning import Returning
from deploy.mailbox.store import MailStore

_ASKED: Final = re.compile(
    r"\+(?:reply(?P<code>[45]\d\d)|(?P<how>drop|hangup|bounce|delay\d{1,2}))(?:x(?P<times>\d{1,3}))?@"
)
_RETURNED: Final = re.compile(r"(?P<word>respinta|inesistente|piena)(?:[.+_-][^@]*)?@", re.IGNORECASE)
_FULL: Final = "piena"
_SIZE_LIMIT: Final = 10 * 1024 * 1024
_SAYS: Final = {
    450: "4.2.0 mailbox busy",
    452: "4.2.2 mailbox full",
    550: "5.1.1 no such mailbox",
    552: "5.2.2 mailbox full",
}


class Faults:
    """What each address has asked for, and how often it has had it."""

    def __init__(self) -> None:
        self._had: Counter[str] = Counter()

    def due(self, address: str) -> str | None:
        """The fault for this message to `address`: a reply code, ``drop``, ``hangup``, ``bounce``, ``full``, ``delay5``, or
        ``None``."""
        if (returned := _RETURNED.match(address)) is not None:
            return "full" if returned["word"].lower() == _FULL else "bounce"
        asked = _ASKED.search(address)
        if asked is None:
            return None
        self._had[address] += 1
        if asked["times"] is not None and self._had[address] > int(asked["times"]):
            return None
        return asked["code"] or asked["how"]

    def forget(self) -> None:
        """Start counting anew."""
        self._had.clear()


class Handler:
    """aiosmtpd's hooks."""

    def __init__(self, store: MailStore, faults: Faults, returning: Returning | None = None) -> None:
        self._store = store
        self._faults = faults
        self._returning = returning

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, or answer what it asks for."""
        fault = self._faults.due(address)
        if fault == "hangup":
            _hang_up(server)
        elif fault is not None and not fault.isdigit():
            envelope.rcpt_options.append(fault)
        elif fault is not None:
            code = int(fault)
            return f"{code} {_SAYS.get(code, f'{fault[0]}.0.0 as asked')}"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the message; the id in the answer is its file's."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        kept = await asyncio.to_thread(
            self._store.keep, content, envelope.mail_from or "", tuple(envelope.rcpt_tos)
        )
        for fault in envelope.rcpt_options:
            if fault == "drop":
                _hang_up(server)
            elif fault in ("bounce", "full"):
                sender = envelope.mail_from or ""
                status = "4.2.2" if fault == "full" else "5.1.1"
                report = bounce(content, envelope.rcpt_tos, sender, status)
                await asyncio.to_thread(self._store.keep, report, "", (sender,))
                if self._returning is not None:
                    self._returning.hand_over(report)
            elif fault.startswith("delay"):
                await asyncio.sleep(int(fault.removeprefix("delay")))
        return f"250 2.0.0 kept as {kept}"


def bounce(content: bytes, recipients: Sequence[str], sender: str = "", status: str = "5.1.1") -> bytes:
    """What a mail server writes to the envelope's sender of a message that it took and could not deliver (RFC 3464)."""
    report = MIMEMultipart("report", report_type="delivery-status")
    report["From"] = "Mail Delivery System <mailer-daemon@localhost>"
    if sender:
        report["To"] = f"<{sender}>"
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Auto-Submitted"] = "auto-replied"
    full = status.endswith(".2.2")
    report.attach(MIMEText(f"The mailbox {'is full' if full else 'does not exist'}.\n"))
    told = MIMEBase("message", "delivery-status")
    fields = [Message()]
    fields[0]["Reporting-MTA"] = "dns; localhost"
    for recipient in recipients:
        fields.append(Message())
        fields[-1]["Final-Recipient"] = f"rfc822; {recipient}"
        fields[-1]["Action"] = "failed"
        fields[-1]["Status"] = status
    told.set_payload([*fields])
    report.attach(told)
    head = content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    report.attach(MIMEText(head.replace("\r\n", "\n") + "\n", "rfc822-headers"))
    return report.as_bytes(policy=SMTP_POLICY)


def _hang_up(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


async def serve_smtp(
    store: MailStore, faults: Faults, host: str, port: int, returning: Returning | None = None
) -> asyncio.Server:
    """Listen; what comes back is handed over by `returning`, where there is one. Raises `OSError` when the address is taken. The caller closes the server."""
    # aiosmtpd writes senders, recipients and commands to its log.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    loop = asyncio.get_running_loop()
    make = partial(
        SMTP,
        Handler(store, faults, returning),
        data_size_limit=_SIZE_LIMIT,
        enable_SMTPUTF8=True,
        hostname="localhost",
        ident="Custode mailbox",
        loop=loop,
    )
    return await loop.create_server(make, host, port)
