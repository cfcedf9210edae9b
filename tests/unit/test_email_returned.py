"""Bounces in the shapes in which mail servers write them, and what is none (S4, RFC 3464)."""

from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.mailbox.smtp import bounce
from services.notifications.channels.email.address import mailbox
from services.notifications.channels.email.returned import read_report
from services.notifications.return_paths import HEADER, Returned, ReturnPaths
from shared.ids import new_id

PATHS = ReturnPaths(b"k" * 32)
OTHERS = ReturnPaths(b"o" * 32)
DELIVERY = new_id()
TOKEN = PATHS.token("delivery", DELIVERY, 3)


def report(*fields: str, reporting: str = "Reporting-MTA: dns; mx.posta.example", head: str = "") -> bytes:
    """A report of Postfix's kind; `fields` of its one recipient."""
    lines = [
        "Return-Path: <>",
        f"Delivered-To: bounce+{TOKEN}@scuole.example",
        "From: MAILER-DAEMON@mx.posta.example (Mail Delivery System)",
        "Subject: Undelivered Mail Returned to Sender",
        *([head] if head else []),
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "I'm sorry to have to inform you that your message could not be delivered.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        reporting,
        "",
        "Final-Recipient: rfc822; anna@posta.example",
        *fields,
        "",
        "--b",
        "Content-Type: text/rfc822-headers",
        "",
        f"Message-ID: <{DELIVERY}@scuole.example>",
        f"{HEADER}: {TOKEN}",
        "--b--",
        "",
    ]
    return "\r\n".join(lines).encode()


QMAIL = f"""Return-Path: <>
From: MAILER-DAEMON@posta.example
To: bounce+{TOKEN}@scuole.example
Subject: failure notice

Hi. This is the qmail-send program at posta.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<anna@posta.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <x>
Received: from 10.4.2.2
Subject: le sue credenziali
""".encode()
EXIM = f"""Return-Path: <>
X-Failed-Recipients: anna@posta.example
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@posta.example>
To: bounce+{TOKEN}@scuole.example
Subject: Mail delivery failed: returning message to sender

  anna@posta.example
    SMTP error from remote mail server after RCPT TO:<anna@posta.example>:
    host mx.posta.example [192.0.2.25]: 452 mailbox full
""".encode()
WARNING = f"""Return-Path: <>
From: postmaster@posta.example
To: bounce+{TOKEN}@scuole.example
Subject: Warning: could not send message for past 4 hours

451 4.4.1 connection timed out; the message is still being retried
""".encode()
HOLIDAY = f"""Return-Path: <>
From: Anna Verdi <anna@posta.example>
To: bounce+{TOKEN}@scuole.example
Subject: Fuori sede
Auto-Submitted: auto-replied

Torno il 5.10.2026. Per urgenze 550 1234567.
""".encode()
ANSWER = f"""From: Anna Verdi <anna@posta.example>
To: bounce+{TOKEN}@scuole.example
Subject: Re: failure notice

Non riesco a entrare: dice 550 5.1.1.
""".encode()


@pytest.mark.requirement("S4", part="DSN")
@pytest.mark.parametrize(
    ("raw", "outcome", "status"),
    [
        (report("Action: failed", "Status: 5.1.1"), "failed", "5.1.1"),
        (report("Action: failed", "Status: 4.2.2"), "failed", "4.2.2"),
        (report("Action: failed", "Status: 5.2.2 (mailbox full)"), "failed", "5.2.2"),
        (report("action: FAILED", "status:5.1.10"), "failed", "5.1.10"),
        (report("Action: delayed", "Status: 4.4.1", "Will-Retry-Until: tomorrow"), "delayed", "4.4.1"),
        (report("Action: delivered", "Status: 2.0.0"), "delayed", "2.0.0"),
        (report("Action: failed"), "failed", "5.0.0"),
        (report("Status: 5.4.4"), "failed", "5.4.4"),
        (report("Action: failed", "Diagnostic-Code: smtp; 550-5.1.1 no such user"), "failed", "5.1.1"),
        (report("Action: failed", "Diagnostic-Code: smtp; 552 over quota"), "failed", "5.0.0"),
        (report("Action: failed", "Diagnostic-Code: smtp; 550\r\n 5.7.1 refused"), "failed", "5.7.1"),
        (report("Action: failed", "Status: 5.1.1", reporting=""), "failed", "5.1.1"),
        (QMAIL, "failed", "5.1.1"),
        (EXIM, "failed", "4.0.0"),
        (WARNING, "delayed", "4.4.1"),
        (bounce(b"Message-ID: <x@y>\r\n\r\n", ["anna@posta.example"]), "failed", "5.1.1"),
    ],
)
def test_reports(raw: bytes, outcome: str, status: str) -> None:
    found = read_report(raw)
    assert found is not None
    assert (found.outcome, found.status) == (outcome, status)


@pytest.mark.parametrize(
    "raw", [HOLIDAY, ANSWER, b"", b"\xff\xfe", b"From: x\n\n", b"Content-Type: multipart/report\n\n"]
)
def test_what_is_no_report(raw: bytes) -> None:
    assert read_report(raw) is None


def test_the_message_that_came_back_is_named_by_envelope_and_by_header() -> None:
    ours = Returned("delivery", DELIVERY, 3)
    raw = report("Action: failed", "Status: 5.1.1")
    for without in (b"bounce+" + TOKEN.encode(), f"{HEADER}: {TOKEN}".encode()):
        found = read_report(raw.replace(without, b""))
        assert found is not None
        assert next(PATHS.find(found.text)) == ours
    encoded = message_from_bytes(raw, policy=policy.SMTP)
    assert encoded["Delivered-To"].startswith("bounce+")
    upper = read_report(
        raw.upper().replace(b"B\r\n", b"b\r\n").replace(b'"B"', b'"b"').replace(b"--B--", b"--b--")
    )
    assert upper is None or next(PATHS.find(upper.text)) == ours, "servers may write addresses as they like"


@pytest.mark.requirement("S4", part="VERP")
def test_nobody_makes_up_a_return_path() -> None:
    assert PATHS.read(TOKEN) == Returned("delivery", DELIVERY, 3)
    assert OTHERS.read(TOKEN) is None
    for n in range(0, len(TOKEN), 5):
        other = "a" if TOKEN[n] != "a" else "b"
        assert PATHS.read(TOKEN[:n] + other + TOKEN[n + 1 :]) is None
    assert PATHS.read("") is None
    assert PATHS.read(TOKEN[:-1]) is None
    assert list(PATHS.find(f"x{TOKEN}")) == []


def test_a_return_path_is_an_address_that_servers_take() -> None:
    paths = ReturnPaths(b"k" * 32, mailbox("bounce@scuole.example"))
    notice = paths.token("notice", DELIVERY, 65535)
    path = paths.path(notice)
    assert path is not None
    assert str(mailbox(path)) == path
    assert paths.read(notice) == Returned("notice", DELIVERY, 65535)
    assert PATHS.path(TOKEN) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 600), st.integers(0, 400))
def test_malformed_mails_never_crash(noise: bytes, at: int, drop: int) -> None:
    read_report(noise)
    raw = report("Action: failed", "Status: 5.1.1")
    read_report(raw[:at] + noise + raw[at + drop :])


def test_a_report_shows_nothing_personal() -> None:
    found = read_report(EXIM)
    assert "anna" not in repr(found)
