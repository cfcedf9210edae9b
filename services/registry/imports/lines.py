"""From bytes to lines of text, with bounded memory and whatever encoding a school's computer writes.

UTF-8 (with or without byte-order mark) is tried first, Windows-1252 line by line where that fails, so that a file glued
together from both is still read. UTF-16 and binary files are refused.
"""

import io
from collections.abc import Iterator
from typing import Final, Protocol

from services.registry.imports.problems import Problems, Refused

CHUNK: Final = 256 * 1024
MAX_LINE: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Lines:
    """Iterates over lines (line ends kept), numbering them; findings go to `problems`.

    `cp1252_expected`: the format allows Windows-1252, so reading it is not worth a warning.
    """

    def __init__(self, file: str, source: Source, problems: Problems, *, cp1252_expected: bool) -> None:
        self._file = file
        self._source = source
        self._problems = problems
        self._expected = cp1252_expected
        self._seen_utf8 = False
        self._seen_cp1252 = False
        self._line = 0

    def __iter__(self) -> Iterator[str]:
        carriage_returns = False
        first = True
        skipping = False
        pending = b""
        while True:
            chunk = self._source.read(CHUNK)
            if first:
                chunk = self._opening(chunk)
                first = False
                carriage_returns = b"\r" in chunk and b"\n" not in chunk
            if carriage_returns:
                chunk = chunk.replace(b"\r", b"\n")
            if skipping and chunk:
                _, newline, chunk = chunk.partition(b"\n")
                if not newline:
                    continue
                skipping = False
            if not chunk:
                break
            pending += chunk
            cut = pending.rfind(b"\n") + 1
            if cut:
                yield from self._decoded(pending[:cut])
                pending = pending[cut:]
            elif len(pending) > MAX_LINE:
                self._problems.error(self._file, self._line + 1, None, "line_too_long")
                self._line += 1
                pending = b""
                skipping = True
                yield "\n"
        if pending:
            yield from self._decoded(pending)

    def _opening(self, chunk: bytes) -> bytes:
        """The first chunk without byte-order marks; refuses what is not 8-bit text."""
        if chunk[:2] in {b"\xff\xfe", b"\xfe\xff"} or _every_other_is_nul(chunk[:512]):
            raise Refused("utf16", file=self._file)
        sample = chunk[:4096]
        odd = sum(byte < 32 and byte not in b"\t\n\r\x00" for byte in sample)
        if sample.count(0) * 10 > len(sample) or odd * 10 > len(sample):
            raise Refused("binary", file=self._file)
        while chunk.startswith(_BOM):
            chunk = chunk[len(_BOM) :]
        return chunk

    def _decoded(self, block: bytes) -> Iterator[str]:
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError:
            yield from map(self._decoded_line, block.removesuffix(b"\n").split(b"\n"))
            return
        self._seen_utf8 = self._seen_utf8 or not text.isascii()
        if self._seen_cp1252 and not text.isascii():
            self._say_mixed()
        self._line += block.count(b"\n")
        yield from io.StringIO(text, newline="\n")

    def _decoded_line(self, raw: bytes) -> str:
        self._line += 1
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            return self._legacy_line(raw) + "\n"
        if not text.isascii():
            self._seen_utf8 = True
            if self._seen_cp1252:
                self._say_mixed()
        return text + "\n"

    def _legacy_line(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8", "surrogatepass")  # refused later, in the cell that holds it
        except UnicodeDecodeError:
            pass
        try:
            text = raw.decode("cp1252")
        except UnicodeDecodeError:
            self._problems.error(self._file, self._line, None, "undecodable")
            return ""
        self._seen_cp1252 = True
        if self._seen_utf8:
            self._say_mixed()
        elif not self._expected:
            self._problems.once(self._file, self._line, None, "cp1252")
        return text

    def _say_mixed(self) -> None:
        self._problems.once(self._file, self._line, None, "mixed_encoding")


def _every_other_is_nul(sample: bytes) -> bool:
    """UTF-16 without a mark: Latin text has a NUL in every second byte."""
    half = len(sample) // 2
    fewer, more = sorted((sample[0::2].count(0), sample[1::2].count(0)))
    return half >= 4 and more * 10 >= half * 8 and fewer * 10 <= half * 2
