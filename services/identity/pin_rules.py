"""What a chosen PIN must be: six digits that are not the first ones a stranger would try (E2).

The answer is the reason, as an Italian message id; None when there is nothing to object to.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

from shared.web.i18n import N_

DIGITS = 6
NOT_SIX = N_("Il PIN è di 6 cifre.")
REPEATED = N_("Il PIN ripete sempre le stesse cifre: ne scelga uno più vario.")
SEQUENCE = N_("Il PIN segue l’ordine dei numeri: è tra i primi che un estraneo proverebbe.")
COMMON = N_("Questo PIN è tra i più usati, quindi tra i primi che un estraneo proverebbe.")
BIRTH_DATE = N_("Il PIN è una data di nascita della sua famiglia: chi la conosce lo indovinerebbe.")
SAME_PIN = N_("Il nuovo PIN deve essere diverso da quello attuale.")
_FOUND = re.compile(r"[0-9]{6}")
_RING = "01234567890"
# Most frequent in published counts of PINs and numeric passwords, and figures drawn on the keypad.
_OFTEN = """112233 332211 223344 445566 123321 321321 654123 123654 159753 357159 147258 258147 258369 369258 147369
    741852 852963 963852 147852 258456 456852 789456 456789 789123 123789 102030 010203 101112 123456 159357
    951753 142536 135790 246810 975310 135246 100000 200000 000001 000007 007007 696969 420420 202020 192837
    314159 271828 121314 131415 246802 135791 520520 131313 111222 222333 333444 123123 999000 110011"""
_COMMON = frozenset(_OFTEN.split())


def canonical_pin(text: str) -> str:
    """A PIN however it was typed: blanks and hyphens between the digits, or digits of another script."""
    plain = "".join(
        c for c in unicodedata.normalize("NFKC", text[:40]) if not c.isspace() and c not in "-‐–."
    )
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in plain)


def is_pin(text: str) -> bool:
    """Whether what was typed has the form of a PIN; no password has it."""
    return _FOUND.fullmatch(canonical_pin(text)) is not None


def pin_objection(text: str, births: Iterable[date] = ()) -> str | None:
    """`births`: of the holder and of those they are guardian of."""
    pin = canonical_pin(text)
    if not _FOUND.fullmatch(pin):
        return NOT_SIX
    if len(set(pin)) <= 2 or pin == pin[:2] * 3 or pin == pin[:3] * 2:
        return REPEATED
    if pin in _RING * 2 or pin in _RING[::-1] * 2 or pin in "1234567890" * 2 or pin in "0987654321" * 2:
        return SEQUENCE
    if pin in _COMMON or _in_pairs(pin):
        return COMMON
    return BIRTH_DATE if any(pin in _written(born) for born in births) else None


def _in_pairs(pin: str) -> bool:
    """`778899`: three figures, each twice, one after another."""
    return pin[::2] == pin[1::2] and (pin[::2] in _RING or pin[::2] in _RING[::-1])


def _written(born: date) -> frozenset[str]:
    """A date as people shorten it to six digits."""
    day, month, year, full = f"{born:%d}", f"{born:%m}", f"{born:%y}", f"{born:%Y}"
    return frozenset(
        {
            day + month + year,
            month + day + year,
            year + month + day,
            year + day + month,
            month + full,
            full + month,
            day + full,
            full + day,
        }
    )
