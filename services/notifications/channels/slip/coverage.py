"""Which characters the vendored fonts can print (DESIGN 8).

Checked before compiling: what no font has is printed as ``U+XXXX``, so that a missing glyph is never an empty
box that nobody notices.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

import typst
from fontTools.ttLib import TTFont

FONT_FOLDER: Final = Path(__file__).parents[2] / "fonts"
_TEXT_FONTS: Final = ("NotoSans-Regular", "NotoSansArabic-Regular", "NotoSansSC-Regular")
_CODE_FONT: Final = "NotoSansMono-Regular"
# Scripts that join letters need these two; every other invisible control can reorder or hide what is read.
_JOINERS: Final = frozenset({0x200C, 0x200D})
_LONG: Final = re.compile(r"(?:[^\s-]){18}(?=[^\W_])")
"""As many characters as the narrowest column holds, before a letter or digit (never before a mark on one)."""


@cache
def fonts() -> typst.Fonts:
    """The vendored fonts, loaded once for the process; neither the system's nor typst's own."""
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONT_FOLDER)]
    )


@cache
def _characters(font: str) -> frozenset[int]:
    with TTFont(FONT_FOLDER / f"{font}.ttf", lazy=True) as file:
        return frozenset(file.getBestCmap())


@cache
def _text_characters() -> frozenset[int]:
    return frozenset().union(*(_characters(font) for font in _TEXT_FONTS))


def _printable(character: str) -> bool:
    point = ord(character)
    if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}:
        return point in _JOINERS
    return point in _text_characters()


def printable(text: str) -> tuple[str, tuple[str, ...]]:
    """`text` as it can be printed, and the code points (``U+XXXX``) that stand in it as such.

    White space of any kind becomes a single space; the rest is normalised to NFC.
    """
    missing: list[str] = []
    out: list[str] = []
    for character in " ".join(unicodedata.normalize("NFC", text).split()):
        if _printable(character):
            out.append(character)
        else:
            name = f"U+{ord(character):04X}"
            missing.append(name)
            out.append(name)
    return "".join(out), tuple(missing)


def breakable(name: str) -> str:
    """`name` with zero-width spaces in words that are longer than any line, so that nothing of it is cut off."""
    return _LONG.sub("\\g<0>\u200b", name)


def code_printable(code: str) -> bool:
    """Whether every character of a code or password is visible in the font of codes."""
    return all(
        ord(character) in _characters(_CODE_FONT) and not character.isspace() and character.isprintable()
        for character in code
    )
