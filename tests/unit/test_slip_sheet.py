"""What a slip says, before any PDF: texts, languages, coverage, refusals."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from services.notifications.channels.languages import LANGUAGES, Language, known_language, texts
from services.notifications.channels.slip import Child, PinOnPupilSlip, SchoolHead, Slip
from services.notifications.channels.slip.coverage import FONT_FOLDER, code_printable, fonts, printable
from services.notifications.channels.slip.qr import AddressTooLong, qr_svg, slip_address
from services.notifications.channels.slip.render import (
    INSIDE,
    OVER,
    PATTERN,
    PATTERN_HEIGHT,
    SECRET,
    SECRET_HEIGHT,
)
from services.notifications.channels.slip.sheet import LeftOut, groups, sheet, typing_notes
from shared.dates import long_date

SCHOOL = SchoolHead("Istituto Comprensivo «Maria Montessori»", "RMIC8AA00X", "tel. 06 0000 0000")
TODAY = date(2026, 9, 14)
TEXTS = Path("services/notifications/channels/texts")


def a_slip(number: int = 1, **changes: Any) -> Slip:
    """A guardian's slip, complete, with what the test changes."""
    values: dict[str, Any] = {
        "slip_id": f"0197a3c2-4b1e-7c3d-9a5f-{number:012x}",
        "holder_name": "Giulia Bianchi",
        "class_name": "1A",
        "role": "guardian",
        "user_code": "h4wd9tnp",
        "password": "k7mq2xphw9rtb4cn",
        "site_address": "https://registro.example.edu.it/accesso",
        "expires_on": date(2026, 10, 15),
        "concerning": (Child("Anna Bianchi", "1A"),),
    }
    return Slip(**(values | changes))


def leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, str):
        yield path, value


@pytest.mark.requirement("M14", part="texts")
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_all_that_italian_says_with_the_same_placeholders(language: Language) -> None:
    def shape(of: str) -> dict[str, set[str]]:
        raw = tomllib.loads((Path(__file__).parents[2] / TEXTS / f"{of}.toml").read_text(encoding="utf-8"))
        raw.pop("spelling", None)
        return {path: set(re.findall(r"\{(\w+)\}", text)) for path, text in leaves(raw)}

    assert shape(language) == shape("it")
    said = texts(language)
    assert len(said.letters) == 26
    assert said.direction == ("rtl" if language == "ar" else "ltr")
    assert [word[0].lower() for word in said.letters] == list("abcdefghijklmnopqrstuvwxyz")


@pytest.mark.requirement("M14", part="fonts")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_fonts_have_every_character_that_the_texts_use(language: Language) -> None:
    said = texts(language)
    every = [*said.labels.values(), *said.adult.values(), *said.pupil.values(), *said.letters]
    every += [*said.typing.values(), long_date(date(2026, 2, 28), language)]
    assert {missing for text in every for missing in printable(text)[1]} == set()


def test_the_vendored_fonts_are_those_that_were_reviewed() -> None:
    lines = (FONT_FOLDER / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    found = {font.name: hashlib.sha256(font.read_bytes()).hexdigest() for font in FONT_FOLDER.glob("*.ttf")}
    assert found == sums
    assert fonts().families() == ["Noto Sans", "Noto Sans Arabic", "Noto Sans Mono", "Noto Sans SC"]


def test_what_no_font_has_is_named_by_its_code_point() -> None:
    assert printable("José 😀") == ("José U+1F600", ("U+1F600",))


def test_controls_that_could_reorder_or_hide_a_name_are_shown() -> None:
    assert printable("Ann\u202ea") == ("AnnU+202Ea", ("U+202E",))
    assert printable("Ann\u200ba\x00")[1] == ("U+200B", "U+0000")


def test_white_space_and_composition_are_made_plain() -> None:
    assert printable(" Nicolo\u0300\n  Rossi\t") == ("Nicolò Rossi", ())


def test_codes_must_be_visible_in_the_font_of_codes() -> None:
    assert code_printable("k7mq-2xph")
    assert not code_printable("k7 mq")
    assert not code_printable("k7\u200bmq")
    assert not code_printable("密码")


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("k7mq2xphw9rtb4cn", ["k7mq", "2xph", "w9rt", "b4cn"]),
        ("k7mq-2xph-w9rt-b4cn", ["k7mq-", "2xph-", "w9rt-", "b4cn"]),
        ("abcde", ["abcd", "e"]),
    ],
)
def test_a_password_is_printed_in_groups_and_nothing_is_added_or_lost(
    password: str, expected: list[str]
) -> None:
    assert groups(password) == expected
    assert "".join(groups(password)) == password


def test_the_note_on_typing_says_what_is_true_of_this_password() -> None:
    italian = texts("it")
    assert typing_notes("ab12", italian) == [italian.typing["spaces"], italian.typing["lower"]]
    assert typing_notes("AB-12", italian) == [italian.typing["separators"], italian.typing["upper"]]
    assert typing_notes("aB12", italian) == [italian.typing["spaces"], italian.typing["mixed"]]
    assert typing_notes("1234", italian) == [italian.typing["spaces"]]


def test_letters_are_spelled_with_the_case_of_the_letter() -> None:
    assert [texts("it").spell(c) for c in "kK7-"] == ["kursaal", "KURSAAL", "7", "-"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_spelled_password_names_no_hyphen_and_words_are_letters_alone(language: Language) -> None:
    data, _ = sheet(a_slip(password="qv4q-4w7w-mn2d-6k8m", language=language), SCHOOL, TODAY)
    parts: Any = data["password"]
    assert "".join(part["text"] for part in parts) == "qv4q-4w7w-mn2d-6k8m"
    assert [len(part["words"]) for part in parts] == [4, 4, 4, 4]
    for part in parts:
        for character, word in zip(part["text"], part["words"], strict=False):
            assert word == character if character.isdigit() else word[0] == character and len(word) > 1


@pytest.mark.requirement("P11", part="slip")
def test_a_guardians_slip_tells_to_change_the_password_and_keep_it_from_the_child() -> None:
    said = str(sheet(a_slip(), SCHOOL, TODAY)[0])
    assert "Al primo accesso scelga subito una password solo Sua" in said
    assert "anche con Suo figlio o Sua figlia" in said
    assert "15 ottobre 2026" in said
    assert "avvisi subito la segreteria (tel. 06 0000 0000)" in said
    recommended = str(sheet(a_slip(must_change=False), SCHOOL, TODAY)[0])
    assert "Cambi subito la password" in recommended
    assert "entro quel giorno va cambiata" in recommended


CHILD = {
    "it": "figlio",
    "en": "child",
    "ro": "copilului",
    "sq": "fëmijës",
    "ar": "لأبنائكم",
    "zh": "孩子",
    "uk": "дитині",
    "fr": "enfant",
    "es": "hijo",
}


@pytest.mark.requirement("P11", part="slip, in every language")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("must_change", [True, False])
def test_every_language_tells_it(language: Language, must_change: bool) -> None:
    columns = cast(
        list[dict[str, Any]],
        sheet(a_slip(language=language, must_change=must_change), SCHOOL, TODAY)[0]["columns"],
    )
    said = texts(language)
    own = columns[0]["steps"]
    assert CHILD[language] in own[3] and own[3] == said.adult["keep_guardian"]
    assert own[2] == said.adult["change_must" if must_change else "change_may"]
    assert CHILD[language] not in said.pupil["keep"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_italian_is_on_every_slip(language: Language) -> None:
    columns = cast(list[dict[str, Any]], sheet(a_slip(language=language), SCHOOL, TODAY)[0]["columns"])
    assert [column["lang"] for column in columns] == (["it"] if language == "it" else [language, "it"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("must_change", [True, False])
def test_sentences_end_once_and_have_no_gaps(language: Language, must_change: bool) -> None:
    columns = cast(
        list[dict[str, Any]],
        sheet(a_slip(language=language, must_change=must_change), SCHOOL, TODAY)[0]["columns"],
    )
    for sentence in columns[0]["steps"] + columns[0]["rules"]:
        assert re.fullmatch(r"[^{}]*[^.。{}][.。]", sentence)
        assert ".." not in sentence


@pytest.mark.parametrize(
    ("role", "carried_by"), [("pupil", "pupil"), ("pupil", "holder"), ("guardian", "pupil")]
)
def test_a_pin_is_never_on_a_slip_that_a_pupil_carries(role: str, carried_by: str) -> None:
    with pytest.raises(PinOnPupilSlip) as refusal:
        a_slip(role=role, carried_by=carried_by, pin="482913")
    assert "482913" not in str(refusal.value)


def test_an_adult_who_takes_the_slip_in_person_gets_the_pin() -> None:
    assert a_slip(role="guardian", carried_by="holder", pin="482913").pin == "482913"
    assert a_slip(role="staff", pin="482913").pin == "482913"


def test_secrets_are_not_in_the_representation() -> None:
    shown = repr(a_slip(carried_by="holder", pin="482913"))
    assert not {"h4wd9tnp", "k7mq2xphw9rtb4cn", "482913"} & set(re.findall(r"\w+", shown))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": ""}, "secret_missing"),
        ({"password": "k7mq 2xph"}, "secret_not_printable"),
        ({"user_code": "пароль密"}, "secret_not_printable"),
        ({"site_address": "https://registro.example.edu.it/" + "a" * 120}, "address_too_long"),
    ],
)
def test_a_slip_that_cannot_be_printed_right_is_left_out_with_its_reason(
    changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(LeftOut) as refusal:
        sheet(a_slip(**changes), SCHOOL, TODAY)
    assert refusal.value.notice.code == code
    assert all(len(value) < 3 or value not in str(refusal.value) for value in changes.values())


def test_a_very_long_name_is_shortened_and_reported() -> None:
    data, notices = sheet(a_slip(holder_name="Maria " * 100), SCHOOL, TODAY)
    assert str(data["name"]).endswith("…")
    assert [notice.code for notice in notices] == ["shortened"]


def test_the_code_carries_the_address_and_the_opaque_id_and_always_looks_alike() -> None:
    assert slip_address("https://r.example/accesso", "a b") == "https://r.example/accesso?c=a%20b"
    assert slip_address("https://r.example/?s=1", "x") == "https://r.example/?s=1&c=x"
    short, long = qr_svg("https://r.example/?c=1"), qr_svg("https://registro.example/?c=" + "1" * 90)
    assert short.split("<path")[0] == long.split("<path")[0]
    with pytest.raises(AddressTooLong):
        qr_svg("x" * 153)


def test_the_pattern_lies_where_the_fold_brings_it_on_the_secret() -> None:
    top, bottom = 2 * OVER - (SECRET + SECRET_HEIGHT), 2 * OVER - SECRET
    assert top - 2 >= PATTERN > OVER
    assert bottom + 2 <= PATTERN + PATTERN_HEIGHT <= 297
    # The panels fold flat: none is longer than the one it lies on.
    assert 297 - OVER <= OVER - INSIDE


def test_languages_are_known_by_their_tag() -> None:
    assert [known_language(tag) for tag in ("zh-Hans", "AR", "ro_RO", "de", None)] == [
        "zh",
        "ar",
        "ro",
        "it",
        "it",
    ]
