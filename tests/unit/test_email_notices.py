"""The messages without a secret, in every language, and what a school may and may not change in them."""

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from services.notifications.channels.email import compose as credentials
from services.notifications.channels.email.message import Envelope
from services.notifications.channels.email.notices import CircularMail, ReminderMail, bodies_of, compose
from services.notifications.channels.languages import LANGUAGES, Language, Role, texts
from services.notifications.channels.people import SchoolHead
from services.notifications.domain.school_texts import Words
from tests.unit.test_email_compose import a_mail

SITE = "https://registro.example.edu.it/s/montessori"
PAGE = "https://registro.example.edu.it/circolari/montessori/0197a3c2"


def envelope(language: Language = "it", **changes: Any) -> Envelope:
    values: dict[str, Any] = {
        "id": "0197a3c2-4b1e-7c3d-9a5f-000000000001",
        "domain": "custode.example.it",
        "sender": "registro@custode.example.it",
        "recipient": "giulia@example.org",
        "recipient_name": "Giulia Bianchi",
        "school": SchoolHead("Istituto Comprensivo «Montessori»", "RMIC8AA00X"),
        "language": language,
        "sent_at": datetime(2026, 9, 21, 8, 0, tzinfo=UTC),
    }
    return Envelope(**(values | changes))


def reminder(language: Language = "it", **changes: Any) -> ReminderMail:
    values: dict[str, Any] = {
        "envelope": envelope(language),
        "role": "guardian",
        "came_by": "mail",
        "delivered_on": date(2026, 9, 14),
        "expires_on": date(2026, 9, 28),
        "lost": "exceptional",
        "site_address": SITE,
    }
    return ReminderMail(**(values | changes))


def circular(language: Language = "it", **changes: Any) -> CircularMail:
    values: dict[str, Any] = {
        "envelope": envelope(language),
        "role": "guardian",
        "number": "12",
        "day": date(2026, 9, 3),
        "subject": "Consegna delle credenziali",
        "signed_by": "Anna Neri",
        "page_address": PAGE,
    }
    return CircularMail(**(values | changes))


@pytest.mark.requirement("M14", part="reminder and circular")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", ["guardian", "pupil", "staff"])
def test_every_language_says_all_of_it(language: Language, role: Role) -> None:
    for came_by in ("mail", "slip"):
        for lost in ("desk", "exceptional"):
            said = bodies_of(reminder(language, role=role, came_by=came_by, lost=lost))
            for text in (said.plain, said.html):
                assert SITE in text
                assert "2026" in text
                assert "28" in text
            assert not re.search(r"[{}]", said.plain)
    said = bodies_of(circular(language, role=role))
    for text in (said.plain, said.html):
        assert PAGE in text
        assert "Consegna delle credenziali" in text
        assert "12" in text
        assert "Anna Neri" in text
    assert f'<html lang="{language}" dir="{texts(language).direction}">' in said.html
    assert not re.search(r"[{}]", said.plain)
    assert compose(circular(language, role=role))["Content-Language"] == language


def test_what_to_do_when_lost_is_the_policys() -> None:
    exceptional, desk = bodies_of(reminder()).plain, bodies_of(reminder(lost="desk")).plain
    assert "solo in casi eccezionali e motivati" in exceptional
    assert "Gliene prepara di nuove" in desk
    assert "eccezionali" not in desk
    assert "posta indesiderata" in exceptional
    assert "lo chieda alla segreteria" in bodies_of(reminder(came_by="slip")).plain


@pytest.mark.requirement("E4", part="adapted message")
def test_a_schools_own_words_open_and_close_and_drop_nothing() -> None:
    own = Words(
        "Da {scuola} per {nome}",
        "Gentili famiglie,\n\nbenvenute a {scuola}.",
        "La dirigente <Anna>\n{indirizzo}",
    )
    mail = a_mail(words=own)
    said, before = credentials.bodies_of(mail), credentials.bodies_of(a_mail())
    assert said.subject == "Da Istituto Comprensivo «Montessori» per Giulia Bianchi"
    for text in (said.plain, said.html):
        assert "benvenute a Istituto Comprensivo «Montessori»." in text
        assert "Genitore o tutore di:" in text
        for needed in (
            "h4wd9tnp",
            "k7mq-2xph-w9rt-b4cn",
            "482913",
            mail.site_address,
            "Anna Bianchi (Classe 1A)",
        ):
            assert needed in text
    assert "La dirigente &lt;Anna&gt;" in said.html
    assert "La dirigente <Anna>\nhttps://registro.example.edu.it/accesso" in said.plain
    kept = before.plain.split("Codice utente", 1)[1].split("--")[0].strip()
    assert kept in said.plain
    for made in (bodies_of(reminder(words=own)), bodies_of(circular(words=own))):
        assert "benvenute" in made.plain
        assert "benvenute" in made.html
    assert SITE in bodies_of(reminder(words=own)).plain
    assert "28 settembre 2026" in bodies_of(reminder(words=own)).plain
    assert PAGE in bodies_of(circular(words=own)).plain


def test_a_name_that_looks_like_a_placeholder_stays_a_name() -> None:
    mail = circular(envelope=envelope(recipient_name="{indirizzo} Rossi"), words=Words(opening="A {nome}"))
    assert "A {indirizzo} Rossi" in bodies_of(mail).plain


def test_every_language_has_the_keys_and_placeholders_of_italian() -> None:
    folder = Path("services/notifications/channels/texts")
    italian = tomllib.loads((folder / "it.toml").read_text("utf-8"))
    for language in LANGUAGES:
        other = tomllib.loads((folder / f"{language}.toml").read_text("utf-8"))
        for part in ("reminder", "circular"):
            assert list(other[part]) == list(italian[part]), (language, part)
            for key, text in italian[part].items():
                assert _names(other[part][key]) == _names(text), (language, part, key)


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}
