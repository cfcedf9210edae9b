"""The two messages that carry no secret: a reminder to who never signed in, and a circular (P10, E11, M14)."""

from dataclasses import dataclass, field
from datetime import date
from email.message import EmailMessage
from typing import Literal

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
from services.notifications.channels.languages import Role, Texts, texts
from services.notifications.domain.school_texts import Words
from shared.dates import long_date


@dataclass(frozen=True)
class ReminderMail:
    """`came_by`: how the credentials were delivered, on `delivered_on`; `lost`: what the school's policy says to who has
    lost them; `expires_on` ends the initial password; `site_address` is the school's own link (E4)."""

    envelope: Envelope = field(repr=False)
    role: Role
    came_by: Literal["mail", "slip"]
    delivered_on: date
    expires_on: date
    lost: Literal["desk", "exceptional"]
    site_address: str
    words: Words = NO_WORDS


@dataclass(frozen=True)
class CircularMail:
    """`page_address`: where it can be read; who opens it there signed in has read it."""

    envelope: Envelope = field(repr=False)
    role: Role
    number: str
    day: date
    subject: str
    signed_by: str
    page_address: str
    words: Words = NO_WORDS


Mail = ReminderMail | CircularMail


def bodies_of(mail: Mail) -> Bodies:
    """Subject and both bodies, as they are read. Raises `ValueError` for a link that is not http(s)."""
    match mail:
        case ReminderMail():
            return bodies("reminder", _reminder(mail))
        case CircularMail():
            return bodies("circular", _circular(mail))


def compose(mail: Mail) -> EmailMessage:
    """The message for its one recipient. Raises `BadAddress`, and `ValueError` for a link that is not http(s)."""
    return message(mail.envelope, bodies_of(mail))


def _reminder(mail: ReminderMail) -> dict[str, object]:
    said = texts(mail.envelope.language)
    suffix = "_pupil" if mail.role == "pupil" else ""
    words, language = said.reminder, mail.envelope.language
    school = mail.envelope.school
    office = f" ({isolated(school.office, said)})" if school.office else ""
    link = web_address(mail.site_address)
    subject = words[f"subject{suffix}"].format(school=one_line(school.name, 120))
    own = adapted(mail.words, said, mail.envelope.recipient_name, school.name, link, subject)
    delivered = long_date(mail.delivered_on, language)
    return _frame(mail, said, suffix, link) | own | {
        "intro": words[f"intro_{mail.came_by}{suffix}"].format(date=delivered),
        "open": said.mail["open"],
        "instructions": [
            words[f"how{suffix}"],
            words["valid"].format(date=long_date(mail.expires_on, language)),
            words[f"find_{mail.came_by}{suffix}"],
            words[f"lost_{mail.lost}{suffix}"].format(office=office),
        ],
        "warnings": [said.mail[f"never{suffix}"]],
    }  # fmt: skip


def _circular(mail: CircularMail) -> dict[str, object]:
    said = texts(mail.envelope.language)
    suffix = "_pupil" if mail.role == "pupil" else ""
    words, school = said.circular, mail.envelope.school
    link = web_address(mail.page_address)
    about = {"number": mail.number, "subject": one_line(mail.subject)}
    subject = words["subject"].format(school=one_line(school.name, 60), **about)
    own = adapted(mail.words, said, mail.envelope.recipient_name, school.name, link, subject)
    day = long_date(mail.day, mail.envelope.language)
    return _frame(mail, said, suffix, link) | own | {
        "intro": words[f"intro{suffix}"],
        "heading": words["heading"].format(number=isolated(mail.number, said), date=day),
        "about": one_line(mail.subject),
        "signed_by": words["signed_by"].format(name=isolated(mail.signed_by, said)),
        "open": words["open"],
        "receipt": words[f"receipt{suffix}"],
    }  # fmt: skip


def _frame(mail: Mail, said: Texts, suffix: str, link: str) -> dict[str, object]:
    """What surrounds every message; never left out, whatever a school adapts."""
    envelope = mail.envelope
    school = isolated(envelope.school.name, said)
    automatic = [said.mail["automatic"].format(school=school)]
    if envelope.reply_to:
        automatic.append(said.mail["replies"])
    return {
        "language": said.language,
        "direction": said.direction,
        "school": school,
        "greeting": said.mail[f"greeting{suffix}"].format(name=isolated(envelope.recipient_name, said)),
        "link": link,
        "copy": said.mail[f"copy{suffix}"],
        "address_label": said.labels["address"],
        "automatic": " ".join(automatic),
    }
