"""One credential mail: who it is for, what is in it, where to use it (E2, E4, E5, M2).

Composing is pure: the same mail gives the same headers and bodies, and the Message-ID is the delivery's id, so
that a repeat after a crash is recognisable as one (DESIGN 4).
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifications.channels.email.address import Mailbox, mailbox
from services.notifications.channels.languages import Language, Role, Texts, long_date, texts
from services.notifications.channels.people import Child, SchoolHead

_TEMPLATES: Final = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class CredentialMail:
    """Everything of one mail. Addresses and names are personal, `user_code`, `password` and `pin` secret: `repr`
    shows none of them.

    `delivery_id` and `domain` make the Message-ID; `sender` is the installation's mailbox, `reply_to` the
    school's office; `site_address` is the school's own link (E4).
    """

    delivery_id: str
    domain: str
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    school: SchoolHead
    holder_name: str = field(repr=False)
    role: Role
    user_code: str = field(repr=False)
    password: str = field(repr=False)
    site_address: str
    expires_on: date
    sent_at: datetime
    reply_to: str | None = field(default=None, repr=False)
    concerning: tuple[Child, ...] = field(default=(), repr=False)
    pin: str | None = field(default=None, repr=False)
    language: Language = "it"
    must_change: bool = True


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


def _address(name: str, box: Mailbox) -> Address:
    return Address(display_name=one_line(name, 100), username=box.local, domain=box.domain)


def _isolated(text: str, said: Texts) -> str:
    """`text` on one line; within a right-to-left sentence, in its own direction (Unicode's isolates)."""
    line = one_line(text)
    return f"\u2068{line}\u2069" if said.direction == "rtl" else line


def _view(mail: CredentialMail, said: Texts) -> dict[str, object]:
    """What both bodies say; the templates only lay it out."""
    young = mail.role == "pupil"
    voice, words = said.voice(mail.role), said.mail
    must = "must" if mail.must_change else "may"
    office = f" ({_isolated(mail.school.office, said)})" if mail.school.office else ""
    school = _isolated(mail.school.name, said)
    fields = [("user_code", mail.user_code), ("password", mail.password)]
    if mail.pin is not None:
        fields.append(("pin", mail.pin))
    children = [
        f"{_isolated(child.name, said)} ({said.labels['class_name'].format(name=one_line(child.class_name, 40))})"
        for child in (mail.concerning if mail.role == "guardian" else ())
    ]
    instructions = [
        voice[f"change_{must}"],
        voice[f"valid_{must}"].format(date=long_date(mail.expires_on, said.language)),
        said.keep(mail.role),
    ]
    if mail.pin is not None:
        instructions.append(said.adult["pin"])
    suffix = "_pupil" if young else ""
    return {
        "language": said.language,
        "direction": said.direction,
        "school": school,
        "subject": one_line(words["subject"].format(school=one_line(mail.school.name, 120))),
        "greeting": words[f"greeting{suffix}"].format(name=_isolated(mail.holder_name, said)),
        "intro": words[f"intro_{mail.role}"],
        "children": children,
        "fields": [{"label": said.labels[key], "value": value} for key, value in fields],
        "address_label": said.labels["address"],
        "link": mail.site_address,
        "open": words["open"],
        "copy": words[f"copy{suffix}"],
        "instructions": instructions,
        "warnings": [words[f"never{suffix}"], words[f"not_for_you{suffix}"].format(office=office)],
        "automatic": " ".join(
            [words["automatic"].format(school=school), *([words["replies"]] if mail.reply_to else [])]
        ),
    }


def compose(mail: CredentialMail) -> EmailMessage:
    """The message, ready to send to its one recipient.

    Raises `BadAddress` for an address that is none, `ValueError` for a link that is not http(s), or for a
    delivery id or domain that cannot stand in a Message-ID.
    """
    if urlsplit(mail.site_address).scheme not in {"http", "https"} or mail.site_address != one_line(
        mail.site_address, 2000
    ):
        raise ValueError("the school's address is not a web address")
    message_id = mailbox(f"{mail.delivery_id}@{mail.domain}")
    recipient, sender = mailbox(mail.recipient), mailbox(mail.sender)
    said = texts(mail.language)
    view = _view(mail, said)

    message = EmailMessage(policy=SMTPUTF8 if recipient.international else SMTP)
    message["Subject"] = str(view["subject"])
    message["From"] = _address(mail.school.name, sender)
    message["To"] = _address(mail.holder_name, recipient)
    if mail.reply_to:
        message["Reply-To"] = _address(mail.school.name, mailbox(mail.reply_to))
    message["Date"] = format_datetime(mail.sent_at)
    message["Message-ID"] = f"<{message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    # Exchange sends holiday notices in spite of Auto-Submitted; a bounce still comes back.
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    plain = _environment().get_template("credentials.txt.j2").render(view)
    html = _environment().get_template("credentials.html.j2").render(view)
    message.set_content(plain, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = said.language  # last: setting a content removes it
    return message
