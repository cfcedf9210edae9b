"""What a mail server writes about a message that it could not deliver (RFC 3464), or that it will go on trying. Pure.

Servers write such reports in every shape: as RFC 3464 has it, with half of its fields, or as a letter to people. A
report is never trusted to be well formed, and a mail that is no report (an answer, a holiday notice) is told apart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Final, Literal

_STATUS: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_REPLY: Final = re.compile(r"(?<![\d.:-])([45]\d\d)(?=[\s-])")
_FIELD: Final = re.compile(r"^(action|status|diagnostic-code)[ \t]*:[ \t]*(.*(?:\r?\n[ \t].*)*)", re.I | re.M)
_DAEMON: Final = re.compile(
    r"\b(mailer-daemon|mail-daemon|mdaemon|postmaster|maildelivery|mail\.delivery)", re.I
)
_SUBJECT: Final = re.compile(
    r"undeliver|delivery (status|failure|has failed)|returned mail|failure notice|mail delivery (failed|system)|"
    r"mancat[oa] (recapito|consegna)|non recapitat|unzustellbar|non remis|no se ha podido entregar",
    re.I,
)
_DELAY: Final = re.compile(r"\bdelay(ed)?\b|warning: could not send|still being retried|ritardo", re.I)
_MOST_TEXT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Report:
    """`failed` with the enhanced status, or `delayed`: whoever wrote it goes on trying. `text`: all that it says,
    decoded, in which the message that it is about names itself. Personal: never in a log."""

    outcome: Literal["failed", "delayed"]
    status: str
    text: str

    def __repr__(self) -> str:
        return f"Report({self.outcome}, {self.status})"


def read_report(raw: bytes) -> Report | None:
    """None for whatever is no report of a mail system, malformed mails included. Never raises."""
    try:
        message = message_from_bytes(raw, policy=compat32)
        text = "\n".join(_texts(raw, message))[:_MOST_TEXT]
        return _formal(message, text) or _informal(message, text)
    except (
        Exception
    ):  # whatever strangers wrote: the standard library's parser is not proof against all of it
        return None


def _formal(message: Message, text: str) -> Report | None:
    """By its part message/delivery-status: a group of fields for each recipient; ours has one."""
    groups: list[dict[str, str]] = []
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            groups += [_fields(block) for block in re.split(r"\r?\n[ \t]*\r?\n", _plain(part))]
    groups = [group for group in groups if group]
    for wanted in ("failed", "", "delayed"):
        for group in groups:
            action = group.get("action", "").split(" ")[0].lower()
            if action != wanted:
                continue
            status = _status(group.get("status", "")) or _status(group.get("diagnostic-code", ""))
            if wanted == "delayed":
                return Report("delayed", status or "4.0.0", text)
            if status is not None or wanted == "failed":
                return Report("failed", status or "5.0.0", text)
    if groups:
        # It was delivered, relayed or expanded: good news.
        return Report("delayed", "2.0.0", text)
    return None


def _fields(block: str) -> dict[str, str]:
    return {found[1].lower(): " ".join(found[2].split()) for found in _FIELD.finditer(block)}


def _informal(message: Message, text: str) -> Report | None:
    """A letter of a mail system to people, with a code somewhere in it."""
    if not _from_a_mail_system(message):
        return None
    subject, said = str(message.get("Subject", "")), "\n".join(_first_texts(message))
    status = _status(said)
    if status is None:
        return None
    if _DELAY.search(subject) or status.startswith("2"):
        return Report("delayed", status, text)
    return Report("failed", status, text)


def _from_a_mail_system(message: Message) -> bool:
    if message.get("X-Failed-Recipients"):
        return True
    nobody = str(message.get("Return-Path", "")).strip() == "<>"
    answering = str(message.get("Auto-Submitted", "")).lower().startswith("auto-replied")
    by_daemon = _DAEMON.search(str(message.get("From", ""))) is not None
    about_delivery = _SUBJECT.search(str(message.get("Subject", ""))) is not None
    reports = message.get_content_type() == "multipart/report"
    return (by_daemon and (about_delivery or nobody or reports)) or (
        nobody and about_delivery and not answering
    )


def _status(text: str) -> str | None:
    """The first enhanced code of a failure; else one made of the first reply code."""
    codes = list(_STATUS.finditer(text))
    for found in codes:
        if found[1] in "45":
            return f"{found[1]}.{int(found[2])}.{int(found[3])}"
    if (reply := _REPLY.search(text + " ")) is not None:
        return f"{reply[1][0]}.0.0"
    return "2.0.0" if codes else None


def _texts(raw: bytes, message: Message) -> Iterator[str]:
    """The mail as it came, and every part of it decoded."""
    yield raw[:_MOST_TEXT].decode("utf-8", "replace")
    for part in message.walk():
        if not part.is_multipart() and part.get("Content-Transfer-Encoding", "").lower() in (
            "base64",
            "quoted-printable",
        ):
            yield _plain(part)


def _first_texts(message: Message) -> Iterator[str]:
    """What the mail system itself writes: not the message that it returns."""
    for part in message.walk():
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers"):
            return
        if part.get_content_maintype() == "text":
            yield _cut(_plain(part))


def _cut(text: str) -> str:
    """A plain letter ends where the message that it quotes begins."""
    return re.split(
        r"(?m)^-{3,}.*(?:copy|original|messaggio|returned|below)|^Return-Path:", text, maxsplit=1
    )[0]


def _plain(part: Message) -> str:
    if part.is_multipart():
        return "\n\n".join(
            str(inner) if isinstance(inner, Message) else "" for inner in part.get_payload() or ()
        )
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(part.get_payload())
