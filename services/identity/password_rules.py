"""What a chosen password must be: 15 to 128 characters and not a likely guess; nothing else (NIST SP 800-63B-4 3.1.1.2).

The answer is the reason, as an Italian message id; None when there is nothing to object to.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from services.identity.passwords import normalised
from shared.web.i18n import N_

LEAST, MOST = 15, 128
LIKELY_SHARE = 0.6
_BLOCKLIST = Path(__file__).parent / "blocklist.txt"
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop")
_PASSWORD_WORDS = (
    "password",
    "passw0rd",
    "pa55word",
    "parola",
    "segreta",
    "registro",
    "elettronico",
    "scuola",
)

TOO_SHORT = N_("La password deve avere almeno 15 caratteri: va bene anche una frase, con gli spazi.")
TOO_LONG = N_("La password può avere al massimo 128 caratteri.")
COMMON = N_("Questa password è tra le più usate, quindi tra le prime che un estraneo proverebbe.")
REPEATED = N_("La password ripete sempre gli stessi caratteri: ne scelga una più varia.")
SEQUENCE = N_("La password segue l’ordine dell’alfabeto, dei numeri o della tastiera.")
PERSONAL = N_(
    "La password è fatta quasi solo del suo nome, del codice utente o del nome della scuola: aggiunga altre parole."
)
PASSWORD_WORDS = N_(
    "La password è fatta quasi solo di parole come «password» o «registro»: ne aggiunga altre."
)
SAME = N_("La nuova password deve essere diversa da quella attuale.")


def objection(password: str, own_words: Iterable[str] = ()) -> str | None:
    """`own_words`: names, user code, the school's name: what somebody who knows the holder would try."""
    text = normalised(password)
    if len(text) < LEAST:
        return TOO_SHORT
    if len(text) > MOST:
        return TOO_LONG
    plain = _plain(text)
    found = None
    if plain in _common() or plain.rstrip("0123456789") in _common():
        found = COMMON
    elif len(set(plain)) <= 4 or _one_piece_repeated(plain):
        found = REPEATED
    elif _share(_in_sequence(plain)) >= LIKELY_SHARE:
        found = SEQUENCE
    else:
        found = _likely_words(plain, _words(own_words))
    return found


def _likely_words(plain: str, own: list[str]) -> str | None:
    """Likely parts are judged together: `password1234567` is a word and a row, and neither is most of it."""
    personal, usual = _covered(plain, own), _covered(plain, _PASSWORD_WORDS)
    # Figures behind a word are no other word.
    stem = plain.rstrip("0123456789")
    if _share(personal) >= LIKELY_SHARE:
        return PERSONAL
    if max(_share(usual), _share(_covered(stem, _PASSWORD_WORDS))) >= LIKELY_SHARE:
        return PASSWORD_WORDS
    parts = zip(personal, usual, _in_sequence(plain, 4), _repeated(plain), strict=True)
    together = [any(each) for each in parts]
    # What remains beside them may be long enough to stand for itself.
    if _share(together) < LIKELY_SHARE or together.count(False) >= LEAST:
        return None
    sums = ((sum(usual), PASSWORD_WORDS), (sum(personal), PERSONAL), (1, SEQUENCE))
    return max(sums, key=lambda one: one[0])[1]


def _plain(text: str) -> str:
    """Letters without accents, in lower case, digits; everything else is left out."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c for c in decomposed if c.isalnum())
    return kept or text


@cache
def _common() -> frozenset[str]:
    lines = _BLOCKLIST.read_text(encoding="utf-8").splitlines()
    return frozenset(_plain(line) for line in lines if line and not line.startswith("#"))


def _one_piece_repeated(text: str) -> bool:
    """`abcabcabcabc…`: a piece of up to a third of it, again and again."""
    for size in range(1, len(text) // 3 + 1):
        piece = text[:size]
        if (piece * (len(text) // size + 1))[: len(text)] == text:
            return True
    return False


def _share(inside: list[bool]) -> float:
    return sum(inside) / len(inside) if inside else 0.0


def _repeated(text: str) -> list[bool]:
    """Which characters stand in a run of three or more of the same."""
    inside = [False] * len(text)
    for start in range(len(text) - 2):
        if len(set(text[start : start + 3])) == 1:
            inside[start : start + 3] = [True] * 3
    return inside


def _in_sequence(text: str, least: int = 5) -> list[bool]:
    """Which characters stand in a run of `least` or more along a row, either way."""
    rows = [*_ROWS, *(row[::-1] for row in _ROWS)]
    inside = [False] * len(text)
    for start in range(len(text) - least + 1):
        if any(text[start : start + least] in row for row in rows):
            inside[start : start + least] = [True] * least
    return inside


def _words(own: Iterable[str]) -> list[str]:
    parts = (_plain(part) for text in own for part in re.split(r"[\s\-'’.,“”\"]+", text))
    return [part for part in parts if len(part) >= 4]


def _covered(text: str, words: Iterable[str]) -> list[bool]:
    """Which characters of `text` belong to one of these words."""
    covered = [False] * len(text)
    for word in words:
        start = text.find(word)
        while start >= 0:
            covered[start : start + len(word)] = [True] * len(word)
            start = text.find(word, start + 1)
    return covered
