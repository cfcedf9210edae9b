"""A ZIP opened with suspicion: nothing is extracted, every size is counted while it streams.

The limits hold for what the ZIP declares and for what comes out of it. Anything that a damaged or hostile ZIP makes the
standard library raise becomes `Refused`.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from services.registry.imports.problems import Refused

MIB: Final = 1024 * 1024
MAX_UNPACKED: Final = 200 * MIB
MAX_RATIO: Final = 200
RATIO_FREE: Final = 10 * MIB
MAX_MEMBERS: Final = 200
MAX_DIRECTORY: Final = MIB
MAX_INNER_ZIP: Final = 32 * MIB
MAX_DEPTH: Final = 2
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    LookupError,
)


@dataclass(slots=True)
class Budget:
    """Bytes that may still come out of one upload, nested ZIPs included."""

    left: int = MAX_UNPACKED

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Refused("zip_bomb", limit=str(MAX_UNPACKED // MIB))


class Member:
    """One file of a ZIP as a stream. `read` raises `Refused` where the ZIP is damaged or swells."""

    def __init__(self, stream: BinaryIO, budget: Budget, packed: int) -> None:
        self._stream = stream
        self._budget = budget
        self._packed = packed
        self._out = 0

    def read(self, size: int, /) -> bytes:
        with _damage_refused():
            data = self._stream.read(size)
        self._budget.take(len(data))
        self._out += len(data)
        _check_ratio(self._out, self._packed)
        return data


class Archive:
    """The members of a ZIP by name, folders and the clutter of operating systems left out."""

    def __init__(self, stream: BinaryIO, budget: Budget | None = None, depth: int = 1) -> None:
        self._budget = budget or Budget()
        self._depth = depth
        with _damage_refused():
            self._zip = zipfile.ZipFile(_Guarded(stream))
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise Refused("zip_too_many", limit=str(MAX_MEMBERS))
        self._infos: dict[str, zipfile.ZipInfo] = {}
        declared = 0
        for info in infos:
            _check_name(info.orig_filename)
            name = info.filename.replace("\\", "/")
            if _is_clutter(name):
                continue
            if name in self._infos:
                raise Refused("zip_duplicate", file=name)
            if info.flag_bits & 0x41:  # encrypted, or strongly so
                raise Refused("zip_encrypted")
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise Refused("zip_compression", file=name)
            declared += info.file_size
            _check_ratio(info.file_size, info.compress_size)
            self._infos[name] = info
        if declared > self._budget.left:
            raise Refused("zip_bomb", limit=str(MAX_UNPACKED // MIB))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._infos)

    @contextmanager
    def open(self, name: str) -> Iterator[Member]:
        info = self._infos[name]
        with _damage_refused():
            stream = self._zip.open(info)
        with stream:
            yield Member(stream, self._budget, info.compress_size)  # type: ignore[arg-type]

    def inner(self, name: str) -> "Archive":
        """A ZIP inside this one, `MAX_DEPTH` levels in all; read into memory, 32 MB at most."""
        if self._depth >= MAX_DEPTH:
            raise Refused("zip_nested")
        if self._infos[name].file_size > MAX_INNER_ZIP:
            raise Refused("zip_bomb", limit=str(MAX_INNER_ZIP // MIB))
        content = io.BytesIO()
        with self.open(name) as member:
            while chunk := member.read(MIB):
                if not content.tell() and not chunk.startswith(b"PK"):
                    raise Refused("zip_damaged")
                content.write(chunk)
        content.seek(0)
        return Archive(content, self._budget, self._depth + 1)


class _Guarded:
    """A file that refuses to hand out more than a megabyte at once: the size of a ZIP's directory is the ZIP's word."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_DIRECTORY:
            raise Refused("zip_too_many", limit=str(MAX_MEMBERS))
        data = self._stream.read(size if size >= 0 else MAX_DIRECTORY + 1)
        if len(data) > MAX_DIRECTORY:
            raise Refused("zip_too_many", limit=str(MAX_MEMBERS))
        return data


@contextmanager
def _damage_refused() -> Iterator[None]:
    try:
        yield
    except _DAMAGE:
        raise Refused("zip_damaged") from None


def _check_ratio(unpacked: int, packed: int) -> None:
    if unpacked > RATIO_FREE and unpacked > packed * MAX_RATIO:
        raise Refused("zip_bomb", limit=str(MAX_UNPACKED // MIB))


def _check_name(name: str) -> None:
    """Names are only looked up, never written; one that leaves its folder is still a hostile file."""
    path = name.replace("\\", "/")
    if "\x00" in name or path.startswith("/") or ".." in path.split("/") or path[1:2] == ":":
        raise Refused("zip_path", file=name)


def _is_clutter(name: str) -> bool:
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith(".") or path.name in {"Thumbs.db", "desktop.ini"}
