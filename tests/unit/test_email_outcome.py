"""Replies, schedules and server addresses: what they mean."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.channels.email.backoff import GIVE_UP_AFTER, SCHEDULE, backoff
from services.notifications.channels.email.outcome import (
    Accepted,
    Deferred,
    Refused,
    by_reply,
    enhanced_status,
)
from services.notifications.channels.email.server import mail_server
from shared.contracts.notifications import DeliveryProblem as Problem


@pytest.mark.requirement("S4", part="reply codes")
@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (250, "2.0.0 Ok: queued as 1234", Accepted(250, "2.0.0")),
        (250, "OK", Accepted(250, None)),
        (450, "4.2.0 <a@b.it>: greylisted", Deferred(450, "4.2.0", Problem.server_busy)),
        (421, "try later", Deferred(421, None, Problem.server_busy)),
        (452, "4.2.2 over quota", Deferred(452, "4.2.2", Problem.mailbox_full)),
        (452, "4.3.1 no space", Deferred(452, "4.3.1", Problem.server_busy)),
        (550, "5.1.1 <a@b.it>: no such user", Refused(550, "5.1.1", Problem.mailbox_unknown)),
        (550, "No such user a@b.it", Refused(550, None, Problem.mailbox_unknown)),
        (550, "5.7.1 blocked", Refused(550, "5.7.1", Problem.rejected)),
        (550, "5.2.1 disabled", Refused(550, "5.2.1", Problem.mailbox_unknown)),
        (552, "5.2.2 full", Refused(552, "5.2.2", Problem.mailbox_full)),
        (552, "5.3.4 too big", Refused(552, "5.3.4", Problem.rejected)),
        (552, "full", Refused(552, None, Problem.mailbox_full)),
        (554, "rejected", Refused(554, None, Problem.rejected)),
    ],
)
def test_what_a_reply_means(code: int, text: str, expected: object) -> None:
    assert by_reply(code, text) == expected


@given(st.integers(200, 599), st.text())
def test_no_reply_text_survives(code: int, text: str) -> None:
    outcome = by_reply(code, f"<famiglia@example.org> {text}")
    assert "famiglia" not in repr(outcome)
    assert outcome.status is None


@pytest.mark.parametrize(
    ("text", "status"),
    [("5.1.1 x", "5.1.1"), ("5.1.1", "5.1.1"), ("5.1.1.1 x", None), ("192.0.2.1 x", None), ("x 5.1.1", None)],
)
def test_only_an_enhanced_code_at_the_start_counts(text: str, status: str | None) -> None:
    assert enhanced_status(text) == status


def test_waits_grow_and_end_after_days() -> None:
    waits: list[timedelta] = []
    while (wait := backoff(len(waits) + 1)) is not None:
        waits.append(wait)
    assert tuple(waits[:5]) == SCHEDULE
    assert waits == sorted(waits)
    assert timedelta(days=4) < sum(waits, timedelta()) <= GIVE_UP_AFTER
    assert backoff(len(waits) + 1) is backoff(10_000) is None
    with pytest.raises(ValueError, match="from 1"):
        backoff(0)


def test_a_shorter_first_wait_shortens_the_others_and_leaves_their_number() -> None:
    second = timedelta(seconds=1)
    assert [backoff(n, second) for n in (1, 2, 3)] == [second, 5 * second, 30 * second]
    attempts = range(1, 30)
    assert [backoff(n, second) is None for n in attempts] == [backoff(n) is None for n in attempts]


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "user"),
    [
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, "offered", None),
        ("smtp://localhost", "localhost", 25, "offered", None),
        ("smtp://localhost?starttls=required", "localhost", 25, "required", None),
        ("smtp://relay", "relay", 25, "required", None),
        ("smtp://192.168.1.10:2525", "192.168.1.10", 2525, "required", None),
        ("smtp://relay:1025?starttls=offered", "relay", 1025, "offered", None),
        ("smtp://relay:26?starttls=required", "relay", 26, "required", None),
        ("smtp://u%40x:p%2Fw@mail.example.it", "mail.example.it", 587, "required", "u@x"),
        ("smtp://u:p@mail.example.it?starttls=offered", "mail.example.it", 587, "required", "u"),
        ("smtp://u:p@[::1]:26", "::1", 26, "offered", "u"),
        ("smtps://u:p@mail.example.it", "mail.example.it", 465, "implicit", "u"),
    ],
)
def test_a_server_address(url: str, host: str, port: int, tls: str, user: str | None) -> None:
    server = mail_server(url)
    assert (server.host, server.port, server.tls, server.username) == (host, port, tls, user)


@pytest.mark.parametrize(
    ("url", "in_the_clear"),
    [
        ("smtp://127.0.0.1:2525", False),
        ("smtp://relay", False),
        ("smtps://relay", False),
        ("smtp://relay?starttls=offered", True),
    ],
)
def test_mail_crosses_a_network_in_the_clear_only_where_it_is_asked_for(url: str, in_the_clear: bool) -> None:
    assert mail_server(url).in_the_clear is in_the_clear


def test_a_server_address_never_shows_its_password() -> None:
    server = mail_server("smtps://user:p%2Fw@mail.example.it")
    assert server.password == "p/w"
    assert "p/w" not in repr(server)
    for wrong in ("http://user:secret@x", "smtp://", "smtp://user:secret@x?starttls=maybe"):
        with pytest.raises(ValueError) as refusal:
            mail_server(wrong)
        assert "secret" not in str(refusal.value)
