"""Invented people: drawn from a seed, with a codice fiscale that is valid and cannot be anyone's.

The place of birth in every code starts with a letter that the land registry never gave (`X`): shape and check digit
are right, and no real person has it. Addresses end in reserved domains, telephone numbers in a prefix that nobody has.
"""

import datetime as dt
import random
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from stdnum.it.codicefiscale import calc_check_digit

from deploy.demo.names import ORIGINS, Origin

T = TypeVar("T")
Sex = Literal["F", "M"]

DOMAINS: Final = ("example.org", "posta.example", "famiglia.example", "casa.example.org")
_MONTHS: Final = "ABCDEHLMPRST"
_OMOCODIA: Final = "LMNPQRSTUV"


@dataclass(slots=True)
class Person:
    """A guardian, a pupil or a teacher. `given` may be in its own script; `codice_fiscale` is None for a few."""

    code: str
    family: str
    given: str
    sex: Sex
    born: dt.date
    codice_fiscale: str | None
    language: str
    email: str = ""
    phone: str = ""
    relationship: str = ""


@dataclass(slots=True)
class Pupil:
    """A pupil with the guardians, in the order of the enrolment form."""

    person: Person
    guardians: list[Person] = field(default_factory=list)
    data_access: dict[str, bool] = field(default_factory=dict)


class Draw:
    """Draws that are the same on every Python: only `random()` is promised to be."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._emails: set[str] = set()
        self._fiscal: set[str] = set()
        self._numbers: dict[str, int] = {}

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def one_of(self, choices: tuple[T, ...]) -> T:
        return choices[self.below(len(choices))]

    def origin(self) -> Origin:
        point = self.below(100)
        for origin, share in ORIGINS:
            point -= share
            if point < 0:
                return origin
        return ORIGINS[0][0]

    def date(self, year: int) -> dt.date:
        return dt.date(year, 1, 1) + dt.timedelta(days=self.below(365))

    def code(self, prefix: str) -> str:
        """The next code of a kind: `AL00001`."""
        self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}{self._numbers[prefix]:05d}"

    def person(
        self, prefix: str, origin: Origin, family: str, sex: Sex, born_in: int, *, script: int = 0
    ) -> Person:
        """A person of the family; `script` is the chance of a given name in its own script."""
        given = self.one_of(origin.women if sex == "F" else origin.men)
        family = origin.feminine.get(family, family) if sex == "F" else family
        born = self.date(born_in)
        fiscal = self._free_fiscal(family, given, sex, born)
        shown = origin.scripts[given] if given in origin.scripts and self.chance(script) else given
        return Person(self.code(prefix), family, shown, sex, born, fiscal, origin.language)

    def email(self, given: str, family: str) -> str:
        """An address of one's own in a reserved domain."""
        local = ".".join(filter(None, (slug(given), slug(family)))) or "famiglia"
        domain = self.one_of(DOMAINS)
        address, count = f"{local}@{domain}", 2
        while address in self._emails:
            address, count = f"{local}{count}@{domain}", count + 1
        self._emails.add(address)
        return address

    def phone(self) -> str:
        """A number that nobody has: no Italian prefix is 000."""
        return f"+39 000 {self.below(1_000_000):06d}"

    def _free_fiscal(self, family: str, given: str, sex: Sex, born: dt.date) -> str:
        while True:
            code = codice_fiscale(family, given, sex, born, f"X{self.below(1000):03d}")
            if code not in self._fiscal:
                self._fiscal.add(code)
                return code


def codice_fiscale(family: str, given: str, sex: Sex, born: dt.date, place: str) -> str:
    """The codice fiscale as the tax office makes it; `place` is the land registry's code."""
    consonants = re.sub("[AEIOU]", "", _letters(given))
    name = consonants[0] + consonants[2:4] if len(consonants) > 3 else _three(given)
    day = born.day + (40 if sex == "F" else 0)
    stem = f"{_three(family)}{name}{born.year % 100:02d}{_MONTHS[born.month - 1]}{day:02d}{place}"
    return stem + calc_check_digit(stem)


def with_omocodia(code: str) -> str:
    """The code that the second of two people with the same one gets: the last digit becomes a letter."""
    stem = code[:14] + _OMOCODIA[int(code[14])]
    return stem + calc_check_digit(stem)


def slug(text: str) -> str:
    """Lower-case ASCII letters only; empty for names in another script."""
    return _letters(text).lower()


def _three(text: str) -> str:
    letters = _letters(text)
    return (re.sub("[AEIOU]", "", letters) + re.sub("[^AEIOU]", "", letters) + "XXX")[:3]


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.upper())
    return "".join(c for c in plain if "A" <= c <= "Z")
