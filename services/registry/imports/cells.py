"""From the text of one cell to a value: what is harmless is cleaned, what is not is refused with its reason.

What no text may hold is refused, what is invisible is removed, and said (shared/text.py).
"""

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from services.registry.codes import InvalidCode, check_codice_fiscale, check_codice_meccanografico
from services.registry.imports.problems import Problems
from shared.text import Unusable, point, tidy

T = TypeVar("T")

NAME_LIMIT: Final = 200
ID_LIMIT: Final = 255
TEXT_LIMIT: Final = 500
CELL_LIMIT: Final = 10_000

_FORMULA: Final = re.compile(r"[=+@]|-[^\s]|[-=+@]\s*\w+\s*\(")
_EXCEL_TEXT: Final = re.compile(r'="([^"]*)"')
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_ITALIAN: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", re.ASCII)
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+{_LABEL})", re.ASCII)
_PHONE: Final = re.compile(r"\+?[0-9(][0-9 ()./-]{3,28}[0-9]", re.ASCII)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", re.ASCII | re.IGNORECASE)
_YES: Final = frozenset({"si", "sì", "s", "yes", "true", "1"})
_NO: Final = frozenset({"no", "n", "false", "0"})
_EARLIEST: Final = dt.date(1900, 1, 1)
_LATEST: Final = dt.date(2199, 12, 31)


class BadCell(ValueError):
    """A cell that cannot be taken. `column` is filled in where the value came from."""

    def __init__(self, code: str, **params: str) -> None:
        super().__init__(code)
        self.code: Final = code
        self.params: Final = params


class Cells:
    """The cells of the row at hand: knows where it is, so that a finding names file, line and column."""

    __slots__ = ("column", "file", "line", "problems")

    def __init__(self, file: str, problems: Problems) -> None:
        self.file: Final = file
        self.problems: Final = problems
        self.line = 0
        self.column: str | None = None

    def name(self, text: str, column: str) -> str:
        """A person's name or a title; required."""
        if text.isalpha() and text.isascii() and len(text) <= NAME_LIMIT:
            self.column = column
            return text
        return self._required(self.words(text, column), column)

    def words(self, text: str, column: str, limit: int = NAME_LIMIT) -> str:
        """Free text, possibly empty."""
        self.column = column
        value = self._clean(text, limit, joiners=True)
        if value and value[0] in "=+-@" and _FORMULA.match(value):
            raise BadCell("formula")
        return value

    def identifier(self, text: str, column: str) -> str:
        """An id of the source; required, kept as written (case included)."""
        if text.isalnum() and text.isascii() and len(text) <= ID_LIMIT:
            self.column = column
            return text
        return self._required(self.optional_identifier(text, column), column)

    def optional_identifier(self, text: str, column: str) -> str:
        self.column = column
        value = self._clean(text, ID_LIMIT, joiners=False)
        if value and value[0] in "=+@":
            unwrapped = _EXCEL_TEXT.fullmatch(value)
            if not unwrapped:
                raise BadCell("formula")
            value = unwrapped[1].strip()
        return value

    def date(self, text: str, column: str) -> dt.date | None:
        """A date in one of the three forms, between 1900 and 2199; None where empty."""
        self.column = column
        return read_date(text.strip()) if text else None

    def codice_meccanografico(self, text: str, column: str) -> str:
        value = self.identifier(text, column)
        try:
            return check_codice_meccanografico(value)
        except InvalidCode as wrong:
            raise BadCell(wrong.reason) from None

    def codice_fiscale(self, text: str, column: str) -> str | None:
        if not text:
            return None
        self.column = column
        plain = text.isalnum() and text.isascii()
        value = text if plain else self.optional_identifier(text, column)
        try:
            return check_codice_fiscale(value) if value else None
        except InvalidCode as wrong:
            raise BadCell(wrong.reason) from None

    def email(self, text: str, column: str) -> str | None:
        self.column = column
        value = text.strip()
        return read_email(value) if value else None

    def phone(self, text: str, column: str) -> str | None:
        self.column = column
        value = text.strip()
        if not value:
            return None
        if value[0] == "=" and (unwrapped := _EXCEL_TEXT.fullmatch(value)):
            value = unwrapped[1].strip()
        if value and not _PHONE.fullmatch(value):
            raise BadCell("phone")
        return value or None

    def language(self, text: str, column: str) -> str | None:
        """A language as BCP 47, primary part only (`it`, `zh`)."""
        self.column = column
        value = text.strip()
        if value and not _LANGUAGE.fullmatch(value):
            raise BadCell("language")
        return re.split("[-_]", value.lower())[0] or None

    def yes_no(self, text: str, column: str) -> bool | None:
        self.column = column
        value = text.strip().casefold()
        if value in _YES:
            return True
        if value in _NO:
            return False
        if value:
            raise BadCell("yes_no")
        return None

    def soft(self, read: Callable[[str, str], T | None], text: str, column: str) -> T | None:
        """An optional value: what cannot be read is a warning, and the person goes in without it."""
        if not text:
            return None
        try:
            return read(text, column)
        except BadCell as bad:
            self.problems.warning(self.file, self.line, column, bad.code, **bad.params)
            return None

    def error(self, bad: BadCell) -> None:
        """Reports what `bad` says at this row and at the last column that was read."""
        self.problems.error(self.file, self.line, self.column, bad.code, **bad.params)

    def _required(self, value: str, column: str) -> str:
        if not value:
            self.column = column
            raise BadCell("missing")
        return value

    def _clean(self, text: str, limit: int, *, joiners: bool) -> str:
        if text.isascii() and text.isprintable():
            value = text.strip()
            if "  " in value:
                value = " ".join(value.split())
        else:
            value = self._clean_slowly(text[: CELL_LIMIT + 1], joiners)
        if len(value) > limit:
            raise BadCell("overlong", limit=str(limit))
        return value

    def _clean_slowly(self, text: str, joiners: bool) -> str:
        if len(text) > CELL_LIMIT:
            raise BadCell("overlong", limit=str(CELL_LIMIT))
        try:
            value, removed = tidy(text, joiners=joiners)
        except Unusable as bad:
            raise BadCell(bad.code, point=bad.point) from None
        if removed:
            self.problems.once(self.file, self.line, self.column, "invisible_removed", point=point(removed))
        return value


@lru_cache(maxsize=4096)
def read_date(text: str) -> dt.date:
    """`2012-02-04`, `04/02/2012` or `4/2/2012`; `BadCell` says whether the form or the day is wrong."""
    if iso := _ISO.fullmatch(text):
        year, month, day = iso.groups()
    elif italian := _ITALIAN.fullmatch(text):
        day, month, year = italian.groups()
    else:
        raise BadCell("date_format")
    try:
        date = dt.date(int(year), int(month), int(day))
    except ValueError:
        raise BadCell("date_impossible") from None
    if not _EARLIEST <= date <= _LATEST:
        raise BadCell("date_range")
    return date


def read_email(text: str) -> str:
    """One address, `local@domain`, 254 characters at most, ASCII; the domain in lower case (RFC 5321)."""
    match = _EMAIL.fullmatch(text) if len(text) <= 254 else None
    if match is None or len(match[1]) > 64:
        raise BadCell("email")
    return text if text.islower() else f"{match[1]}@{match[2].lower()}"
