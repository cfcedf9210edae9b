"""One credential mail: who it is for, what is in it, where to use it (E2, E4, E5, M2).

Composing is pure: the same mail gives the same headers and bodies, and the Message-ID is the delivery's id, so
that a repeat after a crash is recognisable as one (DESIGN 4).
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from email.message import EmailMessage

from services.notifications.channels.email.message import (
    NO_WORDS,
    Bodies,
    Envelope,
    adapted,
    bodies,
    isolated,
    message,
    one_line,
    web_address,
)
from services.notifications.channels.languages import Language, Role, texts
from services.notifications.channels.people import Child, SchoolHead
from services.notifications.domain.school_texts import Words
from shared.dates import long_date


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
    words: Words = NO_WORDS


def _view(mail: CredentialMail) -> dict[str, object]:
    """What both bodies say; the templates only lay it out."""
    said = texts(mail.language)
    young = mail.role == "pupil"
    voice, words = said.voice(mail.role), said.mail
    must = "must" if mail.must_change else "may"
    office = f" ({isolated(mail.school.office, said)})" if mail.school.office else ""
    school = isolated(mail.school.name, said)
    fields = [("user_code", mail.user_code), ("password", mail.password)]
    if mail.pin is not None:
        fields.append(("pin", mail.pin))
    children = [
        f"{isolated(child.name, said)} ({said.labels['class_name'].format(name=one_line(child.class_name, 40))})"
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
    name, link = mail.school.name, web_address(mail.site_address)
    subject = words["subject"].format(school=one_line(name, 120))
    return adapted(mail.words, said, mail.holder_name, name, link, subject) | {
        "language": said.language,
        "direction": said.direction,
        "school": school,
        "greeting": words[f"greeting{suffix}"].format(name=isolated(mail.holder_name, said)),
        "intro": words[f"intro_{mail.role}"],
        "children_of": f"{said.labels['guardian_of']}:",
        "children": children,
        "fields": [{"label": said.labels[key], "value": value} for key, value in fields],
        "address_label": said.labels["address"],
        "link": link,
        "open": words["open"],
        "copy": words[f"copy{suffix}"],
        "instructions": instructions,
        "warnings": [words[f"never{suffix}"], words[f"not_for_you{suffix}"].format(office=office)],
        "automatic": " ".join(
            [words["automatic"].format(school=school), *([words["replies"]] if mail.reply_to else [])]
        ),
    }


def bodies_of(mail: CredentialMail) -> Bodies:
    """Subject and both bodies, as the holder reads them. Raises `ValueError` for a link that is not http(s)."""
    return bodies("credentials", _view(mail))


def compose(mail: CredentialMail) -> EmailMessage:
    """The message, ready to send to its one recipient.

    Raises `BadAddress` for an address that is none, `ValueError` for a link that is not http(s), or for a
    delivery id or domain that cannot stand in a Message-ID.
    """
    envelope = Envelope(
        id=mail.delivery_id,
        domain=mail.domain,
        sender=mail.sender,
        recipient=mail.recipient,
        recipient_name=mail.holder_name,
        school=mail.school,
        language=mail.language,
        sent_at=mail.sent_at,
        reply_to=mail.reply_to,
    )
    return message(envelope, bodies_of(mail))
