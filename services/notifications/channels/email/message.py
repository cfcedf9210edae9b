"""What every message has in common: one recipient, two bodies, headers that repeat alike (DESIGN 4, E3, M2).

Composing is pure: the same message gives the same headers and bodies, and the Message-ID is the id of what is sent, so
that a repeat after a crash is recognisable as one.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifications.channels.email.address import Mailbox, mailbox
from services.notifications.channels.languages import Language, Texts
from services.notifications.channels.people import SchoolHead
from services.notifications.domain.circular import paragraphs
from services.notifications.domain.school_texts import Words, filled

_TEMPLATES: Final = Path(__file__).with_name("templates")
NO_WORDS: Final = Words()


@dataclass(frozen=True)
class Envelope:
    """Whom a message is from and for. `id` and `domain` make the Message-ID; `sender` is the installation's mailbox,
    `reply_to` the school's office. `repr` shows no address and no name."""

    id: str
    domain: str
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    recipient_name: str = field(repr=False)
    school: SchoolHead
    language: Language
    sent_at: datetime
    reply_to: str | None = field(default=None, repr=False)


class Bodies(NamedTuple):
    subject: str
    plain: str
    html: str


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def bodies(template: str, view: Mapping[str, object]) -> Bodies:
    """Both bodies of the template called so; `view` holds `subject`."""
    environment = _environment()
    plain = environment.get_template(f"{template}.txt.j2").render(view)
    html = environment.get_template(f"{template}.html.j2").render(view)
    return Bodies(str(view["subject"]), plain, html)


def message(envelope: Envelope, said: Bodies) -> EmailMessage:
    """The message, ready to send to its one recipient.

    Raises `BadAddress` for an address that is none, and for an id or a domain that cannot stand in a Message-ID.
    """
    message_id = mailbox(f"{envelope.id}@{envelope.domain}")
    recipient, sender = mailbox(envelope.recipient), mailbox(envelope.sender)
    made = EmailMessage(policy=SMTPUTF8 if recipient.international else SMTP)
    made["Subject"] = said.subject
    made["From"] = _address(envelope.school.name, sender)
    made["To"] = _address(envelope.recipient_name, recipient)
    if envelope.reply_to:
        made["Reply-To"] = _address(envelope.school.name, mailbox(envelope.reply_to))
    made["Date"] = format_datetime(envelope.sent_at)
    made["Message-ID"] = f"<{message_id}>"
    made["Auto-Submitted"] = "auto-generated"
    # Exchange sends holiday notices in spite of Auto-Submitted; a bounce still comes back.
    made["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    made.set_content(said.plain, cte="quoted-printable")
    made.add_alternative(said.html, subtype="html", cte="quoted-printable")
    made["Content-Language"] = envelope.language  # last: setting a content removes it
    return made


def web_address(link: str) -> str:
    """`link`; raises `ValueError` when it is not an http(s) address on one line."""
    if urlsplit(link).scheme not in {"http", "https"} or link != one_line(link, 2000):
        raise ValueError("the school's address is not a web address")
    return link


def one_line(text: str, limit: int = 200) -> str:
    """`text` fit for a header: one line, no control or invisible character but those that join letters and emoji, at
    most `limit` characters."""
    line = " ".join("".join(filter(_fits_a_line, text)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _fits_a_line(character: str) -> bool:
    joins = (
        character in "\u200c\u200d" or 0xE0020 <= ord(character) <= 0xE007F
    )  # flags of nations end in tags
    return joins or character.isspace() or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}


def isolated(text: str, said: Texts) -> str:
    """`text` on one line; within a right-to-left sentence, in its own direction (Unicode's isolates)."""
    line = one_line(text)
    return f"\u2068{line}\u2069" if said.direction == "rtl" else line


def adapted(words: Words, said: Texts, name: str, school: str, link: str, subject: str) -> dict[str, object]:
    """What a school says in its own words: `subject` (as it comes, where the school has none), `opening` and
    `closing` as paragraphs, none where the school has no words for it."""
    values = {"nome": isolated(name, said), "scuola": isolated(school, said), "indirizzo": link}
    plain = {"nome": one_line(name, 100), "scuola": one_line(school, 120), "indirizzo": link}
    return {
        "subject": one_line(subject if words.subject is None else filled(words.subject, plain)),
        "opening": paragraphs(filled(words.opening, values)) if words.opening else (),
        "closing": paragraphs(filled(words.closing, values)) if words.closing else (),
    }


def _address(name: str, box: Mailbox) -> Address:
    return Address(display_name=one_line(name, 100), username=box.local, domain=box.domain)
