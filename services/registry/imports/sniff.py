"""What a file is, from its first bytes: a ZIP, a CSV, or something that is refused by name."""

from enum import StrEnum
from typing import BinaryIO, Final

from services.registry.imports.lines import Source
from services.registry.imports.problems import Refused

HEAD: Final = 4096
_OTHERS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF-", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"{\\rtf", "RTF"),
)


class Kind(StrEnum):
    ZIP = "zip"
    CSV = "csv"


class Prefixed:
    """A stream whose first bytes were already read."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        return head or self._rest.read(size)


def what_is(stream: BinaryIO) -> Kind:
    """Looks at the start of a seekable stream and returns to it. Raises `Refused` for what no import reads."""
    head = stream.read(HEAD)
    stream.seek(0)
    return kind_of(head)


def kind_of(head: bytes) -> Kind:
    """The kind of a file that starts with `head`; a text is a CSV when its first line has a separator."""
    if not head:
        raise Refused("empty")
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        return Kind.ZIP
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused("spreadsheet")
    for magic, name in _OTHERS:
        if head.startswith(magic):
            raise Refused("other_kind", kind=name)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lowered = text[:200].lower()
    if (
        lowered.startswith((b"<html", b"<table", b"<!doctype html", b"<meta"))
        or b"office:spreadsheet" in lowered
    ):
        raise Refused("spreadsheet")  # what many products call .xls
    if text.startswith(b"<?xml"):
        raise Refused("other_kind", kind="XML")
    if text.startswith((b"{", b"[")):
        raise Refused("other_kind", kind="JSON")
    if not text.strip(b"\x00"):
        raise Refused("binary" if text else "empty")
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in text[:16]:
        return Kind.CSV  # refused, or not, by the reader of lines, which knows more about encodings
    if not any(separator in text for separator in (b";", b",", b"\t")):
        raise Refused("unknown_kind")
    return Kind.CSV
