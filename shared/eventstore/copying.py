"""Entries as PostgreSQL takes them in by COPY: its binary format, in pieces (PostgreSQL 18, SQL commands, COPY)."""

from collections.abc import AsyncIterator, Iterable
from functools import lru_cache
from struct import Struct

from shared.contracts.event import Event, Recorded

COLUMNS = ("position", "school", "school_position", "stream", "stream_version", "entry")
_PIECE = 60_000
"""Bytes: the server works on one while the next is made. A socket holds somewhat more; beyond that both would wait."""
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
# Six fields, each after its length: bigint, text | bigint, text | integer, bytea.
_BEGINNING = Struct("!hiqi").pack
_MIDDLE = Struct("!iqi").pack
_END = Struct("!iii").pack


async def copied(rows: Iterable[Recorded[Event]]) -> AsyncIterator[bytes]:
    """`rows` is asked for more only when the piece before is on its way."""
    parts = [_HEADER]
    size = 0
    for r in rows:
        school, stream, entry = _bytes(r.school), r.stream.encode(), r.entry
        parts += (
            _BEGINNING(6, 8, r.position, len(school)),
            school,
            _MIDDLE(8, r.school_position, len(stream)),
            stream,
            _END(4, r.stream_version, len(entry)),
            entry,
        )
        size += len(entry)
        if size >= _PIECE:
            yield b"".join(parts)
            parts.clear()
            size = 0
    parts.append(_TRAILER)
    yield b"".join(parts)


@lru_cache(maxsize=16)
def _bytes(school: str) -> bytes:
    return school.encode()
