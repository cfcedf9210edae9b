"""Messages as files, with an index in memory that is read back at start."""

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import default
from pathlib import Path

_ENVELOPE = "Delivered-To"


@dataclass(frozen=True)
class Entry:
    """One message as the list shows it; `to` are the envelope's recipients, whatever the headers say.

    `received_at`: seconds since 1970.
    """

    id: str
    received_at: float
    sender: str = field(repr=False)
    to: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    message_id: str
    size: int


class MailStore:
    """Keeps messages as `<id>.eml` (0600) in `folder`; newest last in memory. Safe across threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._last = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in folder.glob("*.part"):
            leftover.unlink()
        self._entries = {path.stem: _entry(path) for path in sorted(folder.glob("*.eml"))}

    def keep(self, content: bytes, sender: str, recipients: Sequence[str]) -> str:
        """Write one message to disk and return its id; it is on the list when this returns."""
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            message_id = f"{self._last:020d}"
        head = f"Return-Path: <{sender}>\r\n" + "".join(f"{_ENVELOPE}: {to}\r\n" for to in recipients)
        path, part = self._path(message_id), self._folder / f"{message_id}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(head.encode("utf-8") + content)
        part.rename(path)
        with self._lock:
            self._entries[message_id] = _entry(path)
        return message_id

    def find(self, to: str = "", *, limit: int = 50, offset: int = 0) -> tuple[int, list[Entry]]:
        """How many messages have `to` in a recipient, and `limit` of them, newest first."""
        wanted = to.strip().casefold()
        with self._lock:
            entries = list(self._entries.values())
        found = [one for one in reversed(entries) if any(wanted in box.casefold() for box in one.to)]
        return len(found), found[offset : offset + limit]

    def entry(self, message_id: str) -> Entry | None:
        """The list's entry of one message, if it is there."""
        with self._lock:
            return self._entries.get(message_id)

    def raw(self, message_id: str) -> bytes | None:
        """The message as it was taken, with the envelope's addresses on top."""
        if self.entry(message_id) is None:
            return None
        with contextlib.suppress(FileNotFoundError):
            return self._path(message_id).read_bytes()
        return None

    def message(self, message_id: str) -> EmailMessage | None:
        """The message, parsed."""
        content = self.raw(message_id)
        return None if content is None else BytesParser(policy=default).parsebytes(content)

    def clear(self) -> int:
        """Forget everything, files included; how many there were."""
        with self._lock:
            gone, self._entries = list(self._entries), {}
        for message_id in gone:
            self._path(message_id).unlink(missing_ok=True)
        return len(gone)

    def _path(self, message_id: str) -> Path:
        return self._folder / f"{message_id}.eml"


def body(message: EmailMessage, kind: str) -> str | None:
    """The `plain` or `html` text of a message, if it has one; undecodable bytes are replaced."""
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None


def _entry(path: Path) -> Entry:
    with path.open("rb") as file:
        headers = BytesHeaderParser(policy=default).parse(file)
    return Entry(
        id=path.stem,
        received_at=int(path.stem) / 1e9 if path.stem.isdigit() else path.stat().st_mtime,
        sender=str(headers.get("From", headers.get("Return-Path", ""))),
        to=tuple(str(value) for value in headers.get_all(_ENVELOPE, [])),
        subject=str(headers.get("Subject", "")),
        message_id=str(headers.get("Message-ID", "")),
        size=path.stat().st_size,
    )
