"""A school's own words: the letterhead of its circulars, and what it says in its messages (P10, E11, E4)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.notifications.domain.circular import readable
from shared.contracts.event import Event
from shared.contracts.notifications import LetterheadAdopted, MailTemplateAdapted
from shared.decider import Decider, Refused

MOST_LINES: Final = 6
MOST_LINE: Final = 120
MOST_SUBJECT: Final = 120
MOST_PART: Final = 600
PLACEHOLDERS: Final = ("nome", "scuola", "indirizzo")
_PLACEHOLDER: Final = re.compile(r"\{(nome|scuola|indirizzo)\}")


class Template(StrEnum):
    credentials = "credentials"
    reminder = "reminder"
    circular = "circular"


@dataclass(frozen=True, slots=True)
class Words:
    """None: the part stays as it comes."""

    subject: str | None = None
    opening: str | None = None
    closing: str | None = None


@dataclass(frozen=True, slots=True)
class SchoolTexts:
    head: tuple[str, ...] | None = None
    foot: tuple[str, ...] = ()
    words: Mapping[tuple[str, str], Words] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class AdoptLetterhead:
    school: str
    head: tuple[str, ...]
    foot: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdaptTemplate:
    school: str
    template: Template
    language: str
    words: Words


Command = AdoptLetterhead | AdaptTemplate


def letterhead_fault(head: Sequence[str], foot: Sequence[str]) -> str | None:
    """A stable slug, or None."""
    if not head:
        return "empty"
    if len(head) > MOST_LINES or len(foot) > MOST_LINES:
        return "too_many_lines"
    for line in (*head, *foot):
        if not line.strip() or len(line) > MOST_LINE or "\n" in line or not readable(line):
            return "bad_line"
    return None


def word_faults(words: Words) -> dict[str, str]:
    """What is wrong with a school's words, by part: stable slugs."""
    found: dict[str, str] = {}
    for name, text, most in (
        ("subject", words.subject, MOST_SUBJECT),
        ("opening", words.opening, MOST_PART),
        ("closing", words.closing, MOST_PART),
    ):
        if text is None:
            continue
        if not text.strip():
            found[name] = "empty"
        elif len(text) > most:
            found[name] = "too_long"
        elif not readable(text) or (name == "subject" and "\n" in text):
            found[name] = "unreadable"
        elif re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
            found[name] = "unknown_placeholder"
    return found


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced; what stands in a value is never taken for a placeholder."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def decide(state: SchoolTexts, command: Command) -> Sequence[Event]:
    """Raises `Refused`: bad_letterhead, bad_words."""
    match command:
        case AdoptLetterhead(school, head, foot):
            if (fault := letterhead_fault(head, foot)) is not None:
                raise Refused("bad_letterhead", f"The letterhead cannot be printed: {fault}.")
            if (state.head, state.foot) == (head, foot):
                return ()
            return (LetterheadAdopted(school=school, head=head, foot=foot),)
        case AdaptTemplate(school, template, language, words):
            if wrong := word_faults(words):
                raise Refused("bad_words", f"These words cannot be sent: {', '.join(wrong)}.")
            if state.words.get((template, language), Words()) == words:
                return ()
            adapted = MailTemplateAdapted(
                school=school,
                template=template,
                language=language,
                subject=words.subject,
                opening=words.opening,
                closing=words.closing,
            )
            return (adapted,)


def evolve(state: SchoolTexts, event: Event) -> SchoolTexts:
    match event:
        case LetterheadAdopted():
            return replace(state, head=event.head, foot=event.foot)
        case MailTemplateAdapted():
            words = Words(event.subject, event.opening, event.closing)
            known = {**state.words, (event.template, event.language): words}
            return replace(state, words=MappingProxyType(known))
        case _:
            return state


TEXTS: Decider[SchoolTexts, Command] = Decider("texts", SchoolTexts, decide, evolve)
"""One stream a school, called by its code."""
