"""Epoch keys: the private halves of what initial secrets are sealed to (DESIGN 5).

They lie in one file that no backup holds: an old backup opens nothing. A new pair a day; the file is safely on
disk before the public half is announced; a private half is destroyed when no secret sealed to it can live.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from services.notifications.domain.sealing_key import SEALING_KEY, PublishKey
from shared import faults
from shared.contracts.event import INSTANCE, Context
from shared.database import AdvisoryLock
from shared.eventstore.commands import Commands
from shared.ids import new_id
from shared.sealing import new_private_key, private_key_text, public_key_text, read_private_key

log = structlog.get_logger()
ROTATE_AFTER = timedelta(days=1)
RETIRES_AFTER = timedelta(days=7)
"""Identity may seal to a key for this long, so that it can go on issuing while notifications is down."""
LONGEST_LIFE = timedelta(days=90)
"""The longest life that a policy can give to an initial secret (`RolePolicy.initial_secret_days`)."""
MARGIN = timedelta(days=1)
_CHECK_SECONDS = 60.0


class EpochKeyMissing(Exception):
    """No private half of this id is in the file: destroyed in time, or another file than it was sealed to."""

    def __init__(self) -> None:
        super().__init__("the epoch key that this slip was sealed to is not in the file of epoch keys")


class UnreadableKeyFile(Exception):
    def __init__(self) -> None:
        super().__init__(
            "the file of epoch keys is damaged: restore it from its own disk, never from a backup of databases; "
            "or move it away, and what was sealed to its keys is issued anew"
        )


@dataclass(frozen=True, slots=True)
class EpochKey:
    id: str
    made: datetime
    private: X25519PrivateKey = field(repr=False)

    @property
    def retires(self) -> datetime:
        return self.made + RETIRES_AFTER

    @property
    def destroyed(self) -> datetime:
        """When the last secret that may have been sealed to it has certainly ended."""
        return self.retires + LONGEST_LIFE + MARGIN


class EpochKeys:
    """The file, and what it holds in memory. One process at a time changes it (see `tend`)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, EpochKey] = {}
        self._stamp: tuple[int, int] | None = None

    def all(self) -> Sequence[EpochKey]:
        """Oldest first. Errors: UnreadableKeyFile."""
        self._read()
        return sorted(self._keys.values(), key=lambda key: key.made)

    def private_key(self, key_id: str) -> X25519PrivateKey:
        """Errors: EpochKeyMissing, UnreadableKeyFile."""
        self._read()
        try:
            return self._keys[key_id].private
        except KeyError:
            raise EpochKeyMissing from None

    def rotate(self, now: datetime) -> EpochKey:
        """The key of this day, made if there is none yet; those that ended are destroyed. Durable on return."""
        alive = [key for key in self.all() if key.destroyed > now]
        gone = len(self._keys) - len(alive)
        # A clock that was set back must not keep a key of the future in use for longer than its day.
        current = [key for key in alive if now - ROTATE_AFTER < key.made <= now]
        if not current:
            current = [EpochKey(new_id(), now, new_private_key())]
            alive.extend(current)
        elif not gone:
            return current[-1]
        self._write(alive)
        if gone:
            log.info("epoch_keys.destroyed", count=gone)
        return current[-1]

    def _read(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._keys, self._stamp = {}, None
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._stamp:
            return
        try:
            rows = orjson.loads(self._path.read_bytes())["keys"]
            keys = [
                EpochKey(r["id"], datetime.fromisoformat(r["made"]), read_private_key(r["private"]))
                for r in rows
            ]
        except (ValueError, KeyError, TypeError):
            raise UnreadableKeyFile from None
        self._keys, self._stamp = {key.id: key for key in keys}, stamp

    def _write(self, keys: Sequence[EpochKey]) -> None:
        rows = [
            {"id": k.id, "made": k.made.isoformat(), "private": private_key_text(k.private)} for k in keys
        ]
        content = orjson.dumps({"keys": rows}, option=orjson.OPT_INDENT_2)
        beside = self._path.with_name(f".{self._path.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._keys, self._stamp = {key.id: key for key in keys}, None


async def announce(keys: EpochKeys, commands: Commands, now: datetime) -> EpochKey:
    """Rotate, then publish what was not published yet: the file first, so that nothing is sealed in vain."""
    current = await asyncio.to_thread(keys.rotate, now)
    faults.reach(faults.Point.epoch_key_written)
    for key in keys.all():
        if key.retires <= now:
            continue
        command = PublishKey(key.id, public_key_text(key.private), key.retires)
        context = Context(actor="service:notifications", correlation=key.id)
        done = await commands.execute(SEALING_KEY, key.id, command, school=INSTANCE, context=context)
        if done.events:
            log.info("epoch_keys.published", key=key.id)
    return current


async def tend(
    keys: EpochKeys, commands: Commands, lock: AdvisoryLock, clock: Callable[[], datetime]
) -> None:
    """For as long as the service runs; of several processes one at a time."""
    try:
        await lock.acquire()
        while lock.held():
            await announce(keys, commands, clock())
            await asyncio.sleep(_CHECK_SECONDS)
    finally:
        await lock.release()
