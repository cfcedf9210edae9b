"""The languages of M14: families' pages in all of them, the desk's in Italian and English."""

from functools import cache
from pathlib import Path

import pytest

import services.identity
import services.notifications
import services.registry
import shared.web
from shared.web.i18n import DESK_LANGUAGES, LANGUAGES, Catalogues
from shared.web.messages import FAMILY, TRANSLATIONS, Message, family, faulty, main, missing, update

WEB = Path(shared.web.__file__).parent
IDENTITY = Path(services.identity.__file__).parent
REGISTRY = Path(services.registry.__file__).parent
NOTIFICATIONS = Path(services.notifications.__file__).parent


@cache
def _of_families(folder: Path) -> list[Message]:
    return family(folder)


@pytest.mark.requirement("M14", part="families' pages in nine languages, nothing missing")
@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("folder", [WEB, IDENTITY, REGISTRY, NOTIFICATIONS], ids=lambda folder: folder.name)
def test_no_message_of_a_familys_page_is_missing(folder: Path, language: str) -> None:
    messages = _of_families(folder)
    assert len(messages) > 20
    assert missing(folder, language, messages) == []
    assert faulty(folder / "locales" / f"{language}.po") == []


def test_the_nine_languages_are_on_offer() -> None:
    catalogues = Catalogues([IDENTITY / "locales"])
    assert [one.tag for one in catalogues.languages] == list(LANGUAGES)
    assert len(LANGUAGES) == 9 and set(DESK_LANGUAGES) < set(LANGUAGES)
    assert [one.tag for one in catalogues.languages if one.direction == "rtl"] == ["ar"]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("ro", {1: "1 dată", 2: "de 2 ori", 9: "de 9 ori"}),
        ("uk", {1: "1 раз.", 2: "2 рази", 5: "5 разів"}),
        ("ar", {1: "واحدة (1)", 2: "محاولتان (2)", 5: "5 محاولات"}),
        ("zh", {1: "1 次", 9: "9 次"}),
        ("fr", {1: "1 fois", 9: "9 fois"}),
    ],
)
def test_numbers_are_told_as_each_language_does(language: str, told: dict[int, str]) -> None:
    messages = Catalogues([IDENTITY / "locales"]).of(language)
    for number, words in told.items():
        text = messages.ngettext(
            "Può provare ancora %(num)s volta.", "Può provare ancora %(num)s volte.", number
        )
        assert words in text % {"num": number}


def test_what_families_read_is_listed_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "locales").mkdir()
    (tmp_path / "pages_home.py").write_text('TITLE = N_("I miei figli")\n')
    (tmp_path / "desk.py").write_text('TITLE = N_("Classi da consegnare")\n')
    listed = tmp_path / "locales" / FAMILY
    listed.write_text("# what families read\npages_*.py\n")
    assert [message.id for message in family(tmp_path)] == ["I miei figli"]
    assert main(["--family", "--check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("I miei figli") == len(TRANSLATIONS) == 8
    assert update(tmp_path, "ar", family(tmp_path)) == 1
    assert "Classi" not in (tmp_path / "locales" / "ar.po").read_text("utf-8")
    catalogue = tmp_path / "locales" / "fr.po"
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    catalogue.write_text(head + 'msgid "il 5 % di %(n)s"\nmsgstr "5 % de %(m)s"\n', "utf-8")
    assert len(faulty(catalogue)) == 1
    catalogue.write_text(head + 'msgid "Più del 5 % delle e-mail"\nmsgstr "Plus de 5 % ou"\n', "utf-8")
    assert faulty(catalogue) == [], "per cent is no placeholder"
    listed.write_text("pages_*.py\ntemplates/gone.html\n")
    with pytest.raises(ValueError, match=r"templates/gone\.html"):
        family(tmp_path)
