"""The credential mail: what is in it, for whom, and what can never get into it."""

import re
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP, default
from typing import Any

import pytest

from services.notifications.channels.email.address import BadAddress, mailbox
from services.notifications.channels.email.compose import CredentialMail, compose
from services.notifications.channels.email.message import one_line
from services.notifications.channels.languages import LANGUAGES, Language, texts
from services.notifications.channels.people import Child, SchoolHead

SENT = datetime(2026, 9, 14, 8, 0, tzinfo=UTC)


def a_mail(**changes: Any) -> CredentialMail:
    """A guardian's mail, complete, with what the test changes."""
    values: dict[str, Any] = {
        "delivery_id": "0197a3c2-4b1e-7c3d-9a5f-000000000001",
        "domain": "custode.example.it",
        "sender": "registro@custode.example.it",
        "reply_to": "segreteria@school.example.it",
        "recipient": "giulia@example.org",
        "school": SchoolHead("Istituto Comprensivo «Montessori»", "RMIC8AA00X", "tel. 06 0000 0000"),
        "holder_name": "Giulia Bianchi",
        "role": "guardian",
        "concerning": (Child("Anna Bianchi", "1A"), Child("Bruno Bianchi", "3C")),
        "user_code": "h4wd9tnp",
        "password": "k7mq-2xph-w9rt-b4cn",
        "pin": "482913",
        "site_address": "https://registro.example.edu.it/accesso",
        "expires_on": date(2026, 10, 15),
        "sent_at": SENT,
    }
    return CredentialMail(**(values | changes))


def delivered(message: EmailMessage) -> EmailMessage:
    """The message as it comes out at the other end."""
    return message_from_bytes(message.as_bytes(policy=SMTP), policy=default)


def bodies(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


@pytest.mark.requirement("E2", part="message")
@pytest.mark.requirement("E4", part="message")
@pytest.mark.requirement("E5", part="message")
def test_both_bodies_say_who_what_where_and_until_when() -> None:
    for said in bodies(delivered(compose(a_mail()))):
        for expected in (
            "Istituto Comprensivo «Montessori»",
            "Giulia Bianchi",
            "Anna Bianchi (Classe 1A)",
            "Bruno Bianchi (Classe 3C)",
            "h4wd9tnp",
            "k7mq-2xph-w9rt-b4cn",
            "482913",
            "https://registro.example.edu.it/accesso",
            "finché non la cambia non può fare altro",
            "15 ottobre 2026",
            "anche con Suo figlio o Sua figlia",
            "Se questo messaggio non è per Lei",
            "La scuola non chiede mai la password o il PIN per e-mail",
        ):
            assert expected in said


@pytest.mark.requirement("M2", part="message")
def test_the_headers_name_one_recipient_and_the_school_and_repeat_alike() -> None:
    message = delivered(compose(a_mail()))
    assert message["Message-ID"] == "<0197a3c2-4b1e-7c3d-9a5f-000000000001@custode.example.it>"
    assert [str(one) for one in message["To"].addresses] == ["Giulia Bianchi <giulia@example.org>"]
    assert message["Cc"] is message["Bcc"] is None
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (
        "Istituto Comprensivo «Montessori»",
        "registro@custode.example.it",
    )
    assert message["Reply-To"].addresses[0].addr_spec == "segreteria@school.example.it"
    assert message["Date"].datetime == SENT
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert "k7mq" not in str(message["Subject"])


def test_two_guardians_with_one_mailbox_get_two_messages() -> None:
    first, second = compose(a_mail()), compose(a_mail(delivery_id="other", holder_name="Marco Bianchi"))
    assert first["Message-ID"] != second["Message-ID"]
    assert "Marco" not in first.as_string()


@pytest.mark.requirement("M14", part="mail")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", ["guardian", "pupil", "staff"])
def test_every_language_in_every_role(language: Language, role: str) -> None:
    message = compose(a_mail(language=language, role=role, pin=None))
    plain, html = bodies(message)
    assert f'<html lang="{language}" dir="{texts(language).direction}">' in html
    assert message["Content-Language"] == language
    assert "k7mq-2xph-w9rt-b4cn" in plain
    assert not re.search(r"[{}]", plain)
    assert ("Anna Bianchi" in plain) == (role == "guardian")


def test_a_pupil_is_addressed_as_one_and_without_a_pin_none_is_mentioned_as_given() -> None:
    plain, _ = bodies(compose(a_mail(role="pupil", pin=None)))
    assert plain.startswith("Ciao Giulia Bianchi,")
    assert "PIN" not in plain


def test_a_recommended_change_is_not_called_forced() -> None:
    plain, _ = bodies(compose(a_mail(must_change=False)))
    assert "Cambi subito la password" in plain
    assert "non può fare altro" not in plain


def test_replies_are_promised_only_where_they_arrive() -> None:
    assert "Chi risponde" not in bodies(compose(a_mail(reply_to=None)))[0]


@pytest.mark.parametrize(
    "name",
    [
        "Giulia\r\nBcc: altri@example.org",
        "Giulia\nBianchi",
        "Giulia\x0b\x0c\u2028Bianchi",
        'Giu"lia, <x@y.it>',
        "\x00",
    ],
)
def test_a_name_cannot_inject_a_header_or_a_recipient(name: str) -> None:
    mail = a_mail(holder_name=name, school=SchoolHead(f"Scuola {name}", "RMIC8AA00X"))
    raw = compose(mail).as_bytes(policy=SMTP)
    message = message_from_bytes(raw, policy=default)
    assert [one.addr_spec for one in message["To"].addresses] == ["giulia@example.org"]
    assert [one.addr_spec for one in message["From"].addresses] == ["registro@custode.example.it"]
    assert message["Bcc"] is None
    assert set(message.keys()) == set(compose(a_mail()).keys())


@pytest.mark.parametrize(
    "name", ["王小明", "محمد العلوي", "Олена Шевченко", "Zoë «Ñ»", "N" * 500, "Niccolò D'Angelo " * 20]
)
def test_international_names_arrive_as_they_are(name: str) -> None:
    raw = compose(a_mail(holder_name=name)).as_bytes(policy=SMTP)
    head = raw.split(b"\r\n\r\n", 1)[0]
    assert head.isascii()
    assert max(len(line) for line in head.split(b"\r\n")) <= 998
    # Decoded by RFC 2047's letter: the newer parser puts a space between adjoining encoded words.
    read = str(make_header(decode_header(message_from_bytes(raw)["To"]))).replace('"', "")
    assert read == f"{one_line(name, 100)} <giulia@example.org>"


def test_markup_in_names_stays_text() -> None:
    _, html = bodies(
        compose(a_mail(holder_name="<script>alert(1)</script>", concerning=(Child("{{7*7}}", "<b>"),)))
    )
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "{{7*7}} (Classe &lt;b&gt;)" in html


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "ftp://x.it", "https://x.it/\nBcc: y", "registro.it"]
)
def test_a_link_that_is_no_web_address_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="not a web address"):
        compose(a_mail(site_address=link))


@pytest.mark.parametrize("given", ["a b", "x@y", "x>\r\nBcc: z", ""])
def test_a_delivery_id_that_cannot_stand_in_a_message_id_is_refused(given: str) -> None:
    with pytest.raises(BadAddress):
        compose(a_mail(delivery_id=given))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@x.it",
        "a@",
        "a b@x.it",
        "a@x.it, b@x.it",
        "a@x.it\r\nRCPT TO:<b@x.it>",
        "<a@x.it>",
        '"a"@x.it',
        "a..b@x.it",
        "a@-x.it",
        "a@x_y.it",
        "a@x..it",
        "a\u202eb@x.it",
        "a" * 65 + "@x.it",
        "a@" + "x" * 64 + ".it",
    ],
)
def test_what_is_not_one_plain_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(BadAddress) as refusal:
        mailbox(address)
    assert not address or address not in str(refusal.value)


def test_addresses_are_written_as_smtp_carries_them() -> None:
    assert str(mailbox(" Mario.Rossi+x@Exämple.IT ")) == "Mario.Rossi+x@xn--exmple-cua.it"
    assert mailbox("josé@example.org").international
    assert "mario" not in repr(mailbox("mario@example.org"))


def test_nothing_personal_or_secret_is_in_the_representation() -> None:
    shown = repr(a_mail())
    for hidden in ("giulia", "Giulia", "Anna", "h4wd9tnp", "k7mq", "482913"):
        assert hidden not in shown
