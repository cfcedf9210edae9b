"""What slips and mails say, in the languages of M14.

One TOML file a language, in ``texts/``. Italian is the reference: every other file has the same keys and the
same placeholders (a unit test compares them), except the spelling alphabet, where the international one of
English stands in for languages that have none for Latin letters.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast, get_args

Language = Literal["it", "en", "ro", "sq", "ar", "zh", "uk", "fr", "es"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
Role = Literal["guardian", "pupil", "staff"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

_FOLDER: Final = Path(__file__).with_name("texts")


@dataclass(frozen=True)
class Texts:
    """The sentences of one language; ``direction`` is ``ltr`` or ``rtl``."""

    language: Language
    direction: Literal["ltr", "rtl"]
    labels: Mapping[str, str]
    typing: Mapping[str, str]
    adult: Mapping[str, str]
    pupil: Mapping[str, str]
    mail: Mapping[str, str]
    reminder: Mapping[str, str]
    circular: Mapping[str, str]
    letters: tuple[str, ...]

    def voice(self, role: Role) -> Mapping[str, str]:
        """The sentences as said to that role: pupils are addressed as young people are."""
        return self.pupil if role == "pupil" else self.adult

    def keep(self, role: Role) -> str:
        """The sentence that asks to keep the password to oneself (P11: a parent, from the child too)."""
        return self.pupil["keep"] if role == "pupil" else self.adult[f"keep_{role}"]

    def spell(self, character: str) -> str:
        """The word that names an ASCII letter; a capital letter gives a word in capitals.

        Any other character is its own name: a word is always a letter and a figure always a digit, where
        `quattro` beside `quarto` could be taken for the letter q.
        """
        if character.isascii() and character.isalpha():
            word = self.letters[ord(character.lower()) - ord("a")]
            return word.upper() if character.isupper() else word.lower()
        return character


@cache
def texts(language: Language) -> Texts:
    """The texts of `language`; raises `KeyError` when its file lacks a part."""
    raw = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    letters = tuple(raw["spelling"]["letters"].split()) if "spelling" in raw else texts("en").letters
    return Texts(
        language=language,
        direction=cast(Literal["ltr", "rtl"], raw["direction"]),
        labels=raw["labels"],
        typing=raw["typing"],
        adult=raw["adult"],
        pupil=raw["pupil"],
        mail=raw["mail"],
        reminder=raw["reminder"],
        circular=raw["circular"],
        letters=letters,
    )


def known_language(tag: str | None) -> Language:
    """The language of a tag such as ``ro`` or ``zh-Hans``; Italian for none or an unknown one."""
    primary = (tag or "").replace("_", "-").split("-")[0].lower()
    return primary if primary in LANGUAGES else "it"
