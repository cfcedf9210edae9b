"""Text that people wrote: what no name may hold, what is cleaned away, and how the rest is told on one line.

Names keep any script and emoji. Control characters, lone surrogates and characters that override the direction of
text are refused everywhere; invisible marks (zero-width space, left-to-right mark...) are removed.
"""

import unicodedata
from typing import Final

_OVERRIDES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE: Final = frozenset("\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2060\ufeff")
_JOINERS: Final = frozenset("\u200c\u200d")
_DAMAGED: Final = "\N{REPLACEMENT CHARACTER}"


class Unusable(ValueError):
    """A character that no text may hold. `code` is the kind, `point` its U+XXXX; `str()` is an English sentence."""

    def __init__(self, code: str, char: str) -> None:
        self.code: Final = code
        self.point: Final = point(char)
        super().__init__(f"{self.point} cannot stand in a text ({code.replace('_', ' ')})")


def tidy(text: str, *, joiners: bool = True) -> tuple[str, str]:
    """`text` in NFC with single spaces, and the last invisible mark that was removed from it. Raises `Unusable`.

    `joiners`: whether U+200C and U+200D may stand in it, as scripts that join letters and emoji need them.
    """
    kept: list[str] = []
    removed = ""
    for char in text.strip():
        if char in _INVISIBLE:
            removed = char
        elif char in _JOINERS and joiners:
            kept.append(char)
        else:
            kept.append(_usable(char))
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split()), removed


def legible(text: str) -> str:
    """`text` for a terminal or a log: on one line, every character that would act instead of being seen as U+XXXX."""
    return text if text.isprintable() else "".join(c if _is_seen(c) else point(c) for c in text)


def point(char: str) -> str:
    return f"U+{ord(char):04X}"


def _is_seen(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"


def _usable(char: str) -> str:
    """The character itself, or a space for any kind of space, or `Unusable`."""
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if category in {"Cc", "Zl", "Zp"}:
        raise Unusable("control_character", char)
    if char in _OVERRIDES:
        raise Unusable("bidi_override", char)
    if category == "Cs":
        raise Unusable("lone_surrogate", char)
    if char == _DAMAGED:
        raise Unusable("damaged_character", char)
    if category in {"Cf", "Co"} and not 0xE0020 <= ord(char) <= 0xE007F:  # emoji flags of nations end in tags
        raise Unusable("unusable_character", char)
    if category == "Cn" and (ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF):
        raise Unusable("unusable_character", char)
    return char
