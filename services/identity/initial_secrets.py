"""What is drawn by lot: user codes, initial passwords, PINs, ids of credentials (DESIGN 5, 7).

One alphabet for all: one case, no vowels (so no words come out), none of 0 1 i l o u, which look alike or sound alike
when they are read out. 28 characters: 77 bits in a password, 38 in a user code.
"""

import re
import secrets
import unicodedata

ALPHABET = "bcdfghjkmnpqrstvwxyz23456789"
_GROUPS = 4
_GROUP = 4
_USER_CODE = 8
_PIN_DIGITS = 6
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u2212\u00ad\u200b]+")


def _draw(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def new_password() -> str:
    """16 characters in 4 groups, e.g. `bcdf-ghjk-mnpq-rstv`."""
    return "-".join(_draw(_GROUP) for _ in range(_GROUPS))


def new_pin() -> str:
    return f"{secrets.randbelow(10**_PIN_DIGITS):0{_PIN_DIGITS}d}"


def new_user_codes(count: int) -> list[str]:
    """`count` different codes; whether another account has one of them is for the caller to see."""
    found: dict[str, None] = {}
    while len(found) < count:
        found.setdefault(_draw(_USER_CODE).upper())
    return list(found)


def canonical_password(text: str) -> str:
    """An initial password however it was typed: groups joined or apart, in either case."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).lower()


def canonical_user_code(text: str) -> str:
    """A user code however it was typed: `bcdf 2345` is `BCDF2345`."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in plain if c.isascii() and c.isalnum())
