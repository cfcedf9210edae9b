"""A CSV as numbered rows of the columns that are read, in the order in which they were asked for.

The header decides what is read. Columns of passwords, and those that a format names as never read, are dropped here:
their values are not carried out of the tokenizer. Everything else unknown is left out and said once.
"""

import csv
import difflib
import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from services.registry.imports.lines import Lines, Source
from services.registry.imports.problems import Problems, Refused

Row = tuple[int, tuple[str, ...]]

MAX_RECORD_LINES: Final = 10
MAX_COLUMNS: Final = 500
MAX_GUESSED: Final = 100
_SECRET: Final = re.compile(r"passw|pwd|parolachiave")
_SUFFIX: Final = re.compile(r"\s*\[[^\]]*\]\s*$")
_NOT_ALNUM: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one kind of table: `read` in order, `required` of them, `known` but not read, `never` read.

    `aliases` maps other spellings to the names in `read`; of those in `renamed` only the alias counts.
    """

    read: tuple[str, ...]
    required: frozenset[str]
    known: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    renamed: frozenset[str] = frozenset()


def fold(header: str) -> str:
    """A header without case, accents, spaces, underscores and `[Required]`-like suffixes."""
    plain = unicodedata.normalize("NFKD", _SUFFIX.sub("", header))
    return _NOT_ALNUM.sub("", "".join(c for c in plain if not unicodedata.combining(c)).casefold())


def is_secret(header: str) -> bool:
    """Whether a header announces passwords, in any spelling."""
    return bool(_SECRET.search(fold(header)))


class Table:
    """The rows of one CSV. `headers` gives each column's header as the file writes it (for findings)."""

    def __init__(
        self, file: str, source: Source, layout: Layout, problems: Problems, *, cp1252_expected: bool = False
    ) -> None:
        self.file: Final = file
        self.rows_read = 0
        self._problems = problems
        self._feed = _Feed(iter(Lines(file, source, problems, cp1252_expected=cp1252_expected)))
        self._done = 0
        header = self._header()
        self._width = len(header)
        self.headers, indices = self._resolve(header, layout)
        self._pick = itemgetter(*indices)
        self._some_absent = max(indices) >= self._width

    def __iter__(self) -> Iterator[Row]:
        """Rows as (line, cells). Rows that cannot be tokenized are findings, and the next one follows."""
        width, pick, feed, some_absent = self._width, self._pick, self._feed, self._some_absent
        current = feed.current
        while True:
            reason = "quotes"
            try:
                for row in csv.reader(feed, delimiter=self._delimiter, strict=True):
                    taken = len(current)
                    if len(row) != width and not self._fits(row):
                        if taken > 1:
                            break
                        self._done += taken
                        current.clear()
                        continue
                    line = self._done + 1
                    self._done += taken
                    current.clear()
                    if not (row[0] or any(row)):
                        continue
                    if some_absent:
                        row.append("")
                    self.rows_read += 1
                    yield line, pick(row)
                else:
                    return
            except csv.Error as wrong:
                reason = _reason(str(wrong))
            except _Runaway:
                pass
            self._problems.error(self.file, self._done + 1, None, reason)
            self._done += 1
            feed.resume_after_first()

    def _fits(self, row: list[str]) -> bool:
        """Mends a row of the wrong width where that is harmless; False where the row must be left."""
        if len(row) < self._width:
            if row and any(row) and len(self._feed.current) == 1:
                self._ragged(row)
            return False
        if any(cell.strip() for cell in row[self._width :]):
            if len(self._feed.current) == 1:
                self._ragged(row)
            return False
        del row[self._width :]
        return True

    def _ragged(self, row: list[str]) -> None:
        found, expected = str(len(row)), str(self._width)
        self._problems.error(self.file, self._done + 1, None, "ragged", found=found, expected=expected)

    def _header(self) -> list[str]:
        """The first line that is not blank (Excel's `sep=;` aside), split at the separator it uses most."""
        for text in self._feed:
            self._done += 1
            self._feed.current.clear()
            line = text.strip("\r\n")
            if not line.strip(" ,;\t") or re.fullmatch(r'"?sep=.?"?', line, re.IGNORECASE):
                continue
            self._delimiter = max(",;\t", key=line.count)
            try:
                header = next(csv.reader([line], delimiter=self._delimiter, strict=True))
            except csv.Error:
                raise Refused("header_unreadable", file=self.file) from None
            if len(header) > MAX_COLUMNS:
                raise Refused("header_unreadable", file=self.file)
            while header and not header[-1].strip():
                header.pop()
            return header
        raise Refused("empty", file=self.file)

    def _resolve(self, header: Sequence[str], layout: Layout) -> tuple[dict[str, str], list[int]]:
        """For each column to read: its header as written, and its index (that of the empty cell if absent)."""
        wanted = {fold(name): name for name in layout.read if name not in layout.renamed}
        wanted |= {fold(alias): name for alias, name in layout.aliases.items()}
        other = {fold(name) for name in layout.known}
        never = {fold(name) for name in layout.never}
        found: dict[str, int] = {}
        seen: set[str] = set()
        unknown: list[tuple[int, str]] = []
        for index, text in enumerate(header):
            key = fold(text)
            if key and key in seen and key not in wanted:
                self._problems.warning(self.file, 1, text, "column_unread_twice")
            elif key in never:
                pass
            elif key in wanted:
                if wanted[key] in found:
                    raise Refused("column_twice", file=self.file, column=text)
                found[wanted[key]] = index
            elif is_secret(text):
                self._problems.warning(self.file, 1, text, "column_secret")
            elif key and key not in other:
                unknown.append((index, text))
            seen.add(key)
        self._guess(unknown, found, wanted, other)
        missing = sorted(layout.required - found.keys())
        if missing:
            raise Refused("columns_missing", file=self.file, columns=", ".join(missing))
        absent = len(header)
        headers = {n: header[found[n]] if n in found else n for n in layout.read}
        return headers, [found.get(n, absent) for n in layout.read]

    def _guess(
        self,
        unknown: list[tuple[int, str]],
        found: dict[str, int],
        wanted: Mapping[str, str],
        other: set[str],
    ) -> None:
        """Takes a misspelt header for the one column it can only mean; the rest is said to be left out."""
        left: list[str] = []
        for index, text in unknown:
            open_names = [key for key, name in wanted.items() if name not in found] + sorted(other)
            short = len(text) <= MAX_GUESSED and len(unknown) <= MAX_GUESSED
            close = difflib.get_close_matches(fold(text), open_names, n=1, cutoff=0.88) if short else []
            name = wanted.get(close[0]) if close else None
            if name:
                found[name] = index
                self._problems.warning(self.file, 1, text, "header_misspelt", column=name)
            elif not close:
                left.append(text)
        if left:
            self._problems.warning(self.file, 1, None, "columns_unknown", columns=", ".join(left))


def _reason(tokenizer_says: str) -> str:
    """Our code for what the tokenizer of the standard library says."""
    if "field limit" in tokenizer_says:
        return "line_too_long"
    return "carriage_return" if "new-line" in tokenizer_says else "quotes"


class _Runaway(Exception):
    """A record that goes on for too many lines: a quote was never closed."""


class _Feed:
    """Lines for the tokenizer; remembers those of the record at hand, so that reading can resume after its first."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.current: list[str] = []
        self._lines = lines
        self._back: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        current, back = self.current, self._back
        while back:
            yield self._counted(back.popleft())
        for line in self._lines:
            current.append(line)
            if len(current) > MAX_RECORD_LINES:
                raise _Runaway
            yield line

    def _counted(self, line: str) -> str:
        self.current.append(line)
        if len(self.current) > MAX_RECORD_LINES:
            raise _Runaway
        return line

    def resume_after_first(self) -> None:
        self._back.extendleft(reversed(self.current[1:]))
        self.current.clear()
