"""A circular: a numbered, dated public document of the school, published once, never changed (P10, E11)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from shared.contracts.event import Event
from shared.contracts.notifications import (
    Audience,
    AudienceSize,
    CircularAudience,
    CircularPublished,
    CircularRead,
    CircularWithdrawn,
)
from shared.decider import Decider, Refused
from shared.ids import derived_id

MOST_SUBJECT = 200
MOST_TEXT = 20_000
_MOST_BYTES = 40_000
"""Of the text in UTF-8: with its audience it must fit one entry of the history, whatever the script (DESIGN 3)."""
MOST_REASON = 500
NUMBER = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z /.-]{0,18}[0-9A-Za-z])?")


def school_year(day: date) -> str:
    """The Italian school year that `day` belongs to: from 1 September to 31 August."""
    first = day.year if day.month >= 9 else day.year - 1
    return f"{first}/{first + 1}"


def circular_id(school: str, year: str, number: str) -> str:
    """A number is given once in a school year: the same number is the same circular."""
    return derived_id("circular", school, year, plain_number(number))


def plain_number(number: str) -> str:
    """As two people would say it is the same number: `007`, ` 7`, `7`; `12 Bis`, `12/bis`."""
    parts = re.findall(r"[0-9]+|[a-z]+", number.casefold())
    return "-".join(part.lstrip("0") or "0" for part in parts)


@dataclass(frozen=True, slots=True)
class Content:
    """What a circular says, and to whom."""

    number: str
    day: date
    subject: str
    text: str
    signed_by: str
    audience: CircularAudience

    @property
    def year(self) -> str:
        return school_year(self.day)


@dataclass(frozen=True, slots=True)
class Circular:
    published: CircularPublished | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    circular: str
    school: str
    content: Content
    sizes: tuple[AudienceSize, ...]


@dataclass(frozen=True, slots=True)
class Withdraw:
    reason: str


Command = Publish | Withdraw


def faults(content: Content) -> dict[str, str]:
    """What hinders a publication, by field: stable slugs; empty when nothing does."""
    found: dict[str, str] = {}
    if not NUMBER.fullmatch(content.number):
        found["number"] = "bad_number"
    for name, text, most in (
        ("subject", content.subject, MOST_SUBJECT),
        ("signed_by", content.signed_by, 120),
    ):
        if not text.strip():
            found[name] = "empty"
        elif len(text) > most:
            found[name] = "too_long"
        elif not readable(text) or "\n" in text:
            found[name] = "unreadable"
    if not content.text.strip():
        found["text"] = "empty"
    elif len(content.text) > MOST_TEXT or len(content.text.encode(errors="replace")) > _MOST_BYTES:
        found["text"] = "too_long"
    elif not readable(content.text):
        found["text"] = "unreadable"
    if not content.audience.audiences:
        found["audiences"] = "empty"
    return found


def readable(text: str) -> bool:
    """Whether nothing in it hides or reorders what is read; line breaks are allowed."""
    return not any(c not in "\n\u200c\u200d" and unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in text)


def paragraphs(text: str) -> tuple[str, ...]:
    """Paragraphs are divided by empty lines; line breaks within one stay."""
    return tuple(p.strip() for p in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")) if p.strip())


def decide(state: Circular, command: Command) -> Sequence[Event]:
    """Raises `Refused`: number_taken, not_complete, not_published, reason_needed."""
    match command:
        case Publish():
            return _publish(state, command)
        case Withdraw(reason):
            return _withdraw(state, reason)


def _publish(state: Circular, command: Publish) -> Sequence[Event]:
    content = command.content
    if (wrong := faults(content)) and state.published is None:
        raise Refused("not_complete", f"The circular cannot be published: {', '.join(wrong)}.")
    published = CircularPublished(
        circular=command.circular,
        school=command.school,
        year=content.year,
        number=content.number,
        day=content.day,
        subject=content.subject,
        text=content.text,
        signed_by=content.signed_by,
        audience=content.audience,
        sizes=command.sizes,
    )
    if state.published is None:
        return (published,)
    if not state.withdrawn and state.published == published.model_copy(
        update={"sizes": state.published.sizes}
    ):
        return ()
    raise Refused("number_taken", "This school year has a circular with this number: choose another.")


def _withdraw(state: Circular, reason: str) -> Sequence[Event]:
    if state.published is None:
        raise Refused("not_published", "No such circular was published.")
    if state.withdrawn:
        return ()
    if not reason.strip():
        raise Refused("reason_needed", "Say why the circular is withdrawn.")
    return (CircularWithdrawn(circular=state.published.circular, reason=reason.strip()[:MOST_REASON]),)


def evolve(state: Circular, event: Event) -> Circular:
    match event:
        case CircularPublished():
            return replace(state, published=event)
        case CircularWithdrawn():
            return replace(state, withdrawn=True)
        case _:
            return state


CIRCULAR: Decider[Circular, Command] = Decider("circular", Circular, decide, evolve)


@dataclass(frozen=True, slots=True)
class MarkRead:
    circular: str
    holder: str
    audience: Audience


def reading_id(circular: str, holder: str) -> str:
    return derived_id("reading", circular, holder)


def _read(read: bool, command: MarkRead) -> Sequence[Event]:
    if read:
        return ()
    return (CircularRead(circular=command.circular, holder=command.holder, audience=command.audience),)


READING: Decider[bool, MarkRead] = Decider("reading", bool, _read, lambda read, event: True)
"""Who has opened which circular: a stream for each, so that readers do not wait for one another."""
