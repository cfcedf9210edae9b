"""The codes of schools and people (M15). Every codice fiscale here is of nobody: no place has a code with X."""

import datetime as dt

import pytest
from stdnum.it.codicefiscale import calc_check_digit

from services.registry.codes import (
    InvalidCode,
    _check_letter,
    agrees_with_birth_date,
    check_codice_fiscale,
    check_codice_meccanografico,
    sex_in,
)


def with_check_digit(stem: str) -> str:
    return stem + str(calc_check_digit(stem))


WOMAN = with_check_digit("RSSMRA80A41X123")
MAN = with_check_digit("RSSMRA80A01X123")
OMOCODIA = with_check_digit("RSSMRA80A41X12P")
ALL_OMOCODIA = with_check_digit("RSSMRAULAQMXMNP")


@pytest.mark.requirement("M15", part="codice meccanografico validated")
@pytest.mark.parametrize("text", ["RMPSDEMO01", " rmpsdemo01 ", "TOIS000001", "BOIC8AB00X"])
def test_a_school_code_is_normalised(text: str) -> None:
    assert check_codice_meccanografico(text) == text.strip().upper()


@pytest.mark.requirement("M15", part="codice meccanografico validated")
@pytest.mark.parametrize(
    "text", ["", "ABC", "1MPSDEMO01", "RMPSDEMO0", "RMPSDEMO012", "RMPS DEMO1", "RMPSDEMÒ01", "RMPSDEMO0\n1"]
)
def test_what_is_no_school_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidCode) as refusal:
        check_codice_meccanografico(text)
    assert refusal.value.reason == "meccanografico_shape"


@pytest.mark.requirement("M15", part="omocodia")
@pytest.mark.parametrize("code", [WOMAN, MAN, OMOCODIA, ALL_OMOCODIA])
def test_a_codice_fiscale_is_accepted_as_written(code: str) -> None:
    spaced = f" {code[:6]} {code[6:11]}-{code[11:]} ".lower()
    assert check_codice_fiscale(code) == code
    assert check_codice_fiscale(spaced) == code


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "fiscale_length"),
        (WOMAN[:-1], "fiscale_length"),
        (WOMAN + "A", "fiscale_length"),
        ("A" * 100_000, "fiscale_length"),
        ("00743110157", "fiscale_of_organisation"),
        ("1SSMRA80A41X123C", "fiscale_shape"),
        ("RSSMRA80F41X123C", "fiscale_shape"),
        ("RSSMRA80A41X12\u0663C", "fiscale_shape"),
        (WOMAN[:-1] + ("A" if WOMAN[-1] != "A" else "B"), "fiscale_check_digit"),
        (with_check_digit("RSSMRA80B30X123"), "fiscale_date"),
        (with_check_digit("RSSMRA80A00X123"), "fiscale_date"),
        (with_check_digit("RSSMRA80A40X123"), "fiscale_date"),
        (with_check_digit("RSSMRA80A72X123"), "fiscale_date"),
        (with_check_digit("RSSMRA81B29X123"), "fiscale_date"),
    ],
)
def test_what_is_no_codice_fiscale_is_refused_without_repeating_it(text: str, reason: str) -> None:
    with pytest.raises(InvalidCode) as refusal:
        check_codice_fiscale(text)
    assert refusal.value.reason == reason
    assert not text or text not in str(refusal.value)
    assert isinstance(refusal.value, ValueError)


@pytest.mark.parametrize(
    ("code", "sex"), [(WOMAN, "female"), (MAN, "male"), (OMOCODIA, "female"), (ALL_OMOCODIA, "female")]
)
def test_sex_is_read_through_omocodia(code: str, sex: str) -> None:
    assert sex_in(code) == sex


@pytest.mark.parametrize(
    ("born", "agrees"),
    [
        (dt.date(1980, 1, 1), True),
        (dt.date(2080, 1, 1), True),
        (dt.date(1980, 1, 2), False),
        (dt.date(1981, 1, 1), False),
    ],
)
def test_the_birth_date_is_compared(born: dt.date, agrees: bool) -> None:
    assert agrees_with_birth_date(check_codice_fiscale(WOMAN), born) is agrees
    assert agrees_with_birth_date(check_codice_fiscale(ALL_OMOCODIA), born) is agrees


def test_the_check_letter_is_the_librarys_for_every_character_at_every_place() -> None:
    characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    stems = ["RSSMRA80A41X123"] + [
        "RSSMRA80A41X123"[:place] + character + "RSSMRA80A41X123"[place + 1 :]
        for place in range(15)
        for character in characters
    ]
    assert [_check_letter(stem) for stem in stems] == [str(calc_check_digit(stem)) for stem in stems]
