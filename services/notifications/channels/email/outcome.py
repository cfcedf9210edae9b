"""What became of a message, by the server's reply (RFC 5321, RFC 3463). Pure.

Servers repeat addresses and message text in their replies: of a reply only the two codes and a problem are kept.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from shared.contracts.notifications import DeliveryProblem

Stage = Literal["connect", "tls", "login", "envelope", "data"]
_ENHANCED: Final = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\S)")
# RFC 3463 subject.detail
_UNKNOWN: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
_FULL: Final = frozenset({"2.2"})


@dataclass(frozen=True)
class Accepted:
    """The server took responsibility for the message."""

    code: int
    status: str | None = None


@dataclass(frozen=True)
class Deferred:
    """Not now (4xx): the same message may be sent again, when `backoff` says."""

    code: int
    status: str | None
    problem: DeliveryProblem


@dataclass(frozen=True)
class Refused:
    """Never (5xx), or not by this server. `code` is ``None`` when we refuse before asking."""

    code: int | None
    status: str | None
    problem: DeliveryProblem


@dataclass(frozen=True)
class NotReached:
    """No answer about this message: no connection, no TLS, no login, or the line dropped. To be sent again.

    `in_doubt`: its content had been sent, so it may have arrived; the repeat has the same Message-ID. `code` is
    there when the server did answer, but about us and not about the recipient (a wrong password, say).
    """

    stage: Stage
    in_doubt: bool = False
    code: int | None = None
    problem: DeliveryProblem = DeliveryProblem.not_reached


SendOutcome = Accepted | Deferred | Refused | NotReached


def enhanced_status(reply: str) -> str | None:
    """The enhanced status code that opens a reply's text, such as ``5.1.1``."""
    found = _ENHANCED.match(reply)
    return found[1] if found else None


def by_reply(code: int, reply: str) -> Accepted | Deferred | Refused:
    """The outcome that a final reply to RCPT or DATA means; `reply` itself is not kept."""
    status = enhanced_status(reply)
    if 200 <= code < 300:
        return Accepted(code, status)
    if 400 <= code < 500:
        return Deferred(code, status, _deferral(status))
    return Refused(code, status, _refusal(code, status))


def bounce_problem(status: str) -> DeliveryProblem:
    """What the enhanced code of a message that came back means; 4.x.x: whoever was to deliver it gave up."""
    if _detail(status) in _FULL:
        return DeliveryProblem.mailbox_full
    return DeliveryProblem.gave_up if status.startswith("4") else _refusal(None, status)


def _deferral(status: str | None) -> DeliveryProblem:
    return DeliveryProblem.mailbox_full if _detail(status) in _FULL else DeliveryProblem.server_busy


def _refusal(code: int | None, status: str | None) -> DeliveryProblem:
    detail = _detail(status)
    if detail in _FULL or (code == 552 and status is None):
        return DeliveryProblem.mailbox_full
    if detail in _UNKNOWN or (code in {550, 551, 553} and status is None):
        return DeliveryProblem.mailbox_unknown
    return DeliveryProblem.rejected


def _detail(status: str | None) -> str:
    return "" if status is None else status.split(".", 1)[1]
