"""Files of school systems to facts, whatever is wrong with them (S3, M11).

`parse_file` reads a OneRoster ZIP or the secretariat's CSV. It is pure: it reads the given bytes and decides nothing.
A bad row is a `Problem` and the rest goes on; a file that cannot be read is `Refused`. It raises nothing else.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from services.registry.imports import oneroster, secretariat
from services.registry.imports.archive import MIB, Archive, Budget
from services.registry.imports.facts import (
    ClassFact,
    EndingFact,
    EnrolmentFact,
    GuardianFact,
    Parsed,
    PupilFact,
    SchoolFact,
    SchoolYearFact,
    Where,
)
from services.registry.imports.problems import Problem, Refused, shown
from services.registry.imports.sniff import Kind, kind_of, what_is

__all__ = [
    "ClassFact",
    "EndingFact",
    "EnrolmentFact",
    "GuardianFact",
    "Parsed",
    "Problem",
    "PupilFact",
    "Refused",
    "SchoolFact",
    "SchoolYearFact",
    "Where",
    "parse_file",
]

MAX_FILE: Final = 200 * MIB


def parse_file(
    name: str,
    content: BinaryIO | bytes | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    source: str | None = None,
) -> Parsed:
    """The facts of one file, with what is wrong with it.

    `name` is what findings call the file (its last part). `mapping` (secretariat's CSV only) goes from our column's
    name to the header in the file. `source` overrides the name of the system that the ids belong to. Raises `Refused`
    where the file as a whole cannot be read, and nothing else.
    """
    called = shown(PurePosixPath(name.replace("\\", "/")).name) or "file"
    with _seekable(content) as stream:
        try:
            if what_is(stream) is Kind.ZIP:
                return _parse_zip(stream, mapping, source)
            return secretariat.parse(called, stream, mapping=mapping, source=source)
        except OSError:
            raise Refused("unreadable") from None


def _parse_zip(stream: BinaryIO, mapping: Mapping[str, str] | None, source: str | None) -> Parsed:
    archive = Archive(stream, Budget())
    if found := oneroster.locate(archive):
        return oneroster.parse(*found, source=source)
    if any(name in archive.names for name in ("[Content_Types].xml", "mimetype")):
        raise Refused("spreadsheet")
    if len(archive.names) != 1 or not archive.names[0].lower().endswith(".csv"):
        raise Refused("no_manifest")
    only = archive.names[0]
    with archive.open(only) as member:
        kind_of(member.read(64))
    with archive.open(only) as member:  # the secretariat's CSV, zipped to fit in a mail
        return secretariat.parse(PurePosixPath(only).name, member, mapping=mapping, source=source)


@contextmanager
def _seekable(content: BinaryIO | bytes | Path) -> Iterator[BinaryIO]:
    """The content as a stream at its start, 200 MB at most. Closes only what it opened."""
    with ExitStack() as opened:
        try:
            stream = _opened(content, opened)
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
        except OSError:
            raise Refused("unreadable") from None
        if size > MAX_FILE:
            raise Refused("too_large", limit=str(MAX_FILE // MIB))
        yield stream


def _opened(content: BinaryIO | bytes | Path, opened: ExitStack) -> BinaryIO:
    if isinstance(content, Path):
        return opened.enter_context(content.open("rb"))
    if isinstance(content, bytes):
        return io.BytesIO(content)
    return content if content.seekable() else io.BytesIO(content.read(MAX_FILE + 1))
