"""The two codes of the Italian school: of the school, and of the person (M15).

Both checks are pure. Errors carry a translatable `reason` and an English sentence; neither repeats the value,
because a codice fiscale is personal data and errors end up in logs.
"""

import datetime as dt
import re
from typing import Final, Literal

from stdnum.it.codicefiscale import calc_check_digit

Reason = Literal[
    "meccanografico_shape",
    "fiscale_length",
    "fiscale_of_organisation",
    "fiscale_shape",
    "fiscale_check_digit",
    "fiscale_date",
]

_MESSAGES: Final[dict[Reason, str]] = {
    "meccanografico_shape": "a codice meccanografico is two letters and eight letters or digits",
    "fiscale_length": "a person's codice fiscale has 16 characters",
    "fiscale_of_organisation": "eleven digits are an organisation's or a provisional code, not a person's",
    "fiscale_shape": "letters and digits are not where a codice fiscale has them",
    "fiscale_check_digit": "the last letter of the codice fiscale does not match the others",
    "fiscale_date": "the codice fiscale holds a birth date that does not exist",
}
_SEPARATORS: Final = str.maketrans("", "", " -.\u00a0\t\r\n")
_MECCANOGRAFICO: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{8}", re.ASCII)
_FISCALE: Final = re.compile(
    r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]", re.ASCII
)
_OMOCODIA: Final = str.maketrans("LMNPQRSTUV", "0123456789")
_FIGURES: Final = "0123456789LMNPQRSTUV"
_NUMBERS: Final = {a + b: int((a + b).translate(_OMOCODIA)) for a in _FIGURES for b in _FIGURES}
"""The number that two digits stand for, each as itself or as its letter."""
_LAST_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS: Final = {
    letter + written: (month, number % 40)
    for month, (letter, last) in enumerate(zip("ABCDEHLMPRST", _LAST_DAYS, strict=True), 1)
    for written, number in _NUMBERS.items()
    if 1 <= number <= last or 41 <= number <= 40 + last
}
"""(month, day) by the letter of the month and the day as written, a woman's or a man's: those that there are."""
_LONGEST: Final = 64


class InvalidCode(ValueError):
    """A code that cannot be right. `reason` is one of `Reason`; `str()` is English and free of the value."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason: Final[Reason] = reason


def check_codice_meccanografico(text: str) -> str:
    """The school's code in upper case, or `InvalidCode`. Pattern `^[A-Z]{2}[A-Z0-9]{8}$`."""
    code = text.strip().upper()
    if not _MECCANOGRAFICO.fullmatch(code):
        raise InvalidCode("meccanografico_shape")
    return code


def check_codice_fiscale(text: str) -> str:
    """A person's codice fiscale in upper case without separators, or `InvalidCode`.

    Omocodia (letters in the place of digits) is accepted and kept as written: it is the code that the tax office
    gave. Eleven digits (organisations, provisional codes) are refused with a reason of their own.
    """
    if len(text) > _LONGEST:
        raise InvalidCode("fiscale_length")
    code = (text if text.isalnum() else text.translate(_SEPARATORS)).upper()
    if len(code) != 16:
        eleven = len(code) == 11 and code.isascii() and code.isdigit()
        raise InvalidCode("fiscale_of_organisation" if eleven else "fiscale_length")
    if not _FISCALE.fullmatch(code):
        raise InvalidCode("fiscale_shape")
    if _check_letter(code) != code[15]:
        raise InvalidCode("fiscale_check_digit")
    if code[8:11] not in _DAYS or (_DAYS[code[8:11]] == (2, 29) and _NUMBERS[code[6:8]] % 4):
        raise InvalidCode("fiscale_date")
    return code


def _weights(position: int) -> bytes:
    """What each character adds to the check letter at an odd (0) or even (1) place, as the library has it."""
    zero = ord(calc_check_digit("0" * 15))
    filled = ("0" * position + character + "0" * (14 - position) for character in _CHARACTERS)
    weights = {ord(text[position]): (ord(calc_check_digit(text)) - zero) % 26 for text in filled}
    return bytes(weights.get(code, 0) for code in range(256))


_CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ZERO: Final = ord(calc_check_digit("0" * 15)) - ord("A")
_ODD: Final = _weights(0)
_EVEN: Final = _weights(1)


def _check_letter(code: str) -> str:
    """The 16th character, from the 15 before it: the library's figures, added up faster than it does."""
    raw = code.encode("ascii")
    odd, even = raw[0:15:2].translate(_ODD), raw[1:15:2].translate(_EVEN)
    return chr((_ZERO + sum(odd) + sum(even)) % 26 + ord("A"))


def sex_in(codice_fiscale: str) -> Literal["female", "male"]:
    """The sex that a checked codice fiscale holds (the day of birth is raised by 40 for women)."""
    return "female" if _NUMBERS[codice_fiscale[9:11]] > 40 else "male"


def agrees_with_birth_date(codice_fiscale: str, born: dt.date) -> bool:
    """Whether a checked codice fiscale was given for that birth date (its century is not in the code)."""
    return _birth(codice_fiscale) == (born.year % 100, born.month, born.day)


def _birth(code: str) -> tuple[int, int, int]:
    """Year of the century, month and day of a checked code."""
    return _NUMBERS[code[6:8]], *_DAYS[code[8:11]]
