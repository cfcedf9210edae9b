"""Reading what came back: from a Maildir, or over IMAP, now and then. What was read is marked as seen, never deleted."""

import asyncio
import imaplib
import ipaddress
import mailbox
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog

from services.notifications.bounces import Taken

log = structlog.get_logger()
_TIMEOUT: Final = 30.0
_PORTS: Final = {"imaps": 993, "imap": 143}
_MOST: Final = 200
"""Mails of one look."""

Take = Callable[[bytes], Awaitable[Taken]]


@dataclass(frozen=True, slots=True)
class MaildirPlace:
    folder: Path


@dataclass(frozen=True, slots=True)
class ImapPlace:
    """`imap` is TLS too (STARTTLS), unless the host is this machine itself."""

    host: str
    port: int
    implicit_tls: bool
    user: str = field(repr=False)
    password: str = field(repr=False)
    folder: str = "INBOX"


Place = MaildirPlace | ImapPlace


def bounce_place(url: str) -> Place:
    """`maildir:///path`, or `imap[s]://user:password@host[:port][/folder]`. Raises `ValueError`, whose text never holds
    the URL."""
    parts = urlsplit(url)
    if parts.scheme == "maildir" and not parts.netloc and parts.path.startswith("/"):
        return MaildirPlace(Path(unquote(parts.path)))
    if parts.scheme in _PORTS and parts.hostname and parts.username and parts.password is not None:
        return ImapPlace(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            parts.scheme == "imaps",
            unquote(parts.username),
            unquote(parts.password),
            unquote(parts.path.strip("/")) or "INBOX",
        )
    raise ValueError("bounces are read from maildir:///path or imaps://user:password@host/folder")


class BounceReader:
    """One in an installation is enough; two do no harm, a bounce counts once. `problem`: why it cannot read now."""

    def __init__(self, place: Place, take: Take, poll_seconds: float = 30.0) -> None:
        self._place = place
        self._take = take
        self._poll_seconds = poll_seconds
        self.problem: str | None = None

    async def work(self) -> None:
        """For as long as the service runs."""
        while True:
            try:
                await self.look()
                self.problem = None
            except (OSError, imaplib.IMAP4.error, mailbox.Error) as trouble:
                # The text may hold what a stranger's server said.
                self.problem = f"the mailbox of bounces cannot be read ({type(trouble).__name__})"
                log.warning("bounces.not_read", error=type(trouble).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def look(self) -> int:
        """Takes what is new; how many mails that were. Errors: OSError, imaplib.IMAP4.error, mailbox.Error."""
        if isinstance(self._place, MaildirPlace):
            return await self._maildir(self._place.folder)
        return await self._imap(self._place)

    async def _maildir(self, folder: Path) -> int:
        box = await asyncio.to_thread(mailbox.Maildir, folder, None, create=True)
        keys = await asyncio.to_thread(partial(_new_in, box))
        for key in keys:
            try:
                raw = await asyncio.to_thread(box.get_bytes, key)
            except (KeyError, FileNotFoundError):
                continue
            await self._take(raw)
            await asyncio.to_thread(_mark_seen, box, key)
        return len(keys)

    async def _imap(self, place: ImapPlace) -> int:
        """Fetched first, marked when all is committed: what a crash cuts short is read again."""
        mails = await asyncio.to_thread(_fetch, place)
        for raw in mails.values():
            await self._take(raw)
        if mails:
            await asyncio.to_thread(_mark, place, list(mails))
        return len(mails)


def _new_in(box: "mailbox.Maildir") -> list[str]:
    found = [key for key, message in box.iteritems() if message.get_subdir() == "new"]
    return sorted(found)[:_MOST]


def _mark_seen(box: "mailbox.Maildir", key: str) -> None:
    try:
        message = box[key]
    except KeyError:
        return
    message.set_subdir("cur")
    message.add_flag("S")
    box[key] = message


def _fetch(place: ImapPlace) -> dict[str, bytes]:
    with _selected(place) as server:
        _, found = server.uid("SEARCH", "UNSEEN")
        uids = (found[0] or b"").split()[:_MOST]
        mails: dict[str, bytes] = {}
        for uid in uids:
            _, parts = server.uid("FETCH", uid.decode("ascii"), "(BODY.PEEK[])")
            mails |= {uid.decode("ascii"): part[1] for part in parts if isinstance(part, tuple)}
        return mails


def _mark(place: ImapPlace, uids: list[str]) -> None:
    with _selected(place) as server:
        server.uid("STORE", ",".join(uids), "+FLAGS.SILENT", r"(\Seen)")


@contextmanager
def _selected(place: ImapPlace) -> Iterator[imaplib.IMAP4]:
    tls = ssl.create_default_context()
    server: imaplib.IMAP4
    if place.implicit_tls:
        server = imaplib.IMAP4_SSL(place.host, place.port, ssl_context=tls, timeout=_TIMEOUT)
    else:
        server = imaplib.IMAP4(place.host, place.port, timeout=_TIMEOUT)
    try:
        if not place.implicit_tls and not _loopback(place.host):
            server.starttls(tls)
        server.login(place.user, place.password)
        status, _ = server.select(f'"{place.folder}"')
        if status != "OK":
            raise imaplib.IMAP4.error("no such folder")
        yield server
    finally:
        try:
            server.logout()
        except (OSError, imaplib.IMAP4.error):
            log.debug("bounces.left_without_goodbye")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
