"""Verifiers of passwords and PINs: Argon2id over a peppered secret (DESIGN 7; OWASP ASVS 5.0 6.2, RFC 9106).

As many hashes at once as there are cores, a bounded queue in front of them. A bulk issue never has more than those
under way, so that who signs in waits for one hash of it at most.
"""

import asyncio
import hmac
import os
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity import huge_pages

T = TypeVar("T")
MIN_PEPPER = 32
KEPT_FOR_KNOWN = 4


class HasherBusy(Exception):
    """More sign-ins at once than this machine can check: try again in a moment (503)."""

    retry_after_seconds = 5


class UnknownPepper(Exception):
    def __init__(self) -> None:
        super().__init__("a verifier was made with a pepper that is not among CUSTODE_IDENTITY_PEPPER_FILE's")


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is kept of a password: the PHC string of its hash, and which pepper it was made with."""

    text: str = field(repr=False)
    pepper: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id's: memory in KiB, passes, lanes."""

    memory: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


class Peppers:
    """Keys outside every database. The first is used for new verifiers, the others still verify."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < MIN_PEPPER for key in keys):
            raise ValueError(f"a pepper must have at least {MIN_PEPPER} bytes")
        self._keys: Mapping[str, bytes] = {_name(key): key for key in keys}
        self.current = _name(keys[0])

    @classmethod
    def from_files(cls, current: Path, previous: Sequence[Path] = ()) -> "Peppers":
        return cls([path.read_bytes() for path in (current, *previous)])

    def apply(self, secret: str, pepper: str) -> bytes:
        key = self._keys.get(pepper)
        if key is None:
            raise UnknownPepper
        return b64encode(hmac.digest(key, b"password/" + secret.encode("utf-8", "surrogatepass"), sha256))

    def derived(self, purpose: str) -> bytes:
        """A key for something else of this service (32 bytes), e.g. to sign the cookies of known devices."""
        return hmac.digest(self._keys[self.current], b"derived/" + purpose.encode(), sha256)


def _name(key: bytes) -> str:
    return hmac.digest(key, b"name", sha256).hex()[:12]


def normalised(password: str) -> str:
    """A chosen password as it is counted and hashed: NFC, nothing else changed (NIST SP 800-63B-4 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


class Place:
    """One place in the hasher's queue, held until it is given back: whoever has one is not sent away any more."""

    def __init__(self, hasher: "Hasher") -> None:
        self._hasher = hasher

    async def hash(self, secret: str) -> Verifier:
        return await self._hasher.run(lambda: self._hasher.hash_now(secret))

    async def verify(self, secret: str, verifier: Verifier | None) -> bool:
        """Whether `secret` is the one; with no verifier as costly, and False (M10)."""
        return await self._hasher.run(lambda: self._hasher.verify_now(secret, verifier))


class Hasher:
    """`verify` always costs one hash, whether or not there is anything to compare with (M10)."""

    def __init__(
        self, peppers: Peppers, cost: Cost | None = None, *, cores: int | None = None, queue: int = 200
    ) -> None:
        cost = cost or Cost()
        self._peppers = peppers
        self._argon2 = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory, parallelism=cost.lanes, type=Type.ID
        )
        self.cores = cores or len(os.sched_getaffinity(0))
        self._threads = ThreadPoolExecutor(
            self.cores, "argon2", initializer=huge_pages.advise, initargs=(cost.memory * 1024,)
        )
        self._queue = queue
        self._taken = 0
        self._bulk = asyncio.Semaphore(self.cores)
        self._nobody = self.hash_now("")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def place(self, *, known: bool = False) -> Iterator[Place]:
        """Raises `HasherBusy` when there is none left; the last quarter is kept for known devices."""
        queue = self._queue if known else self._queue - self._queue // KEPT_FOR_KNOWN
        if self._taken >= queue + self.cores:
            raise HasherBusy
        self._taken += 1
        try:
            yield Place(self)
        finally:
            self._taken -= 1

    async def hash(self, secret: str) -> Verifier:
        """Raises `HasherBusy`."""
        with self.place() as place:
            return await place.hash(secret)

    async def hash_behind(self, secret: str) -> Verifier:
        """For bulk issues: as fast as the machine allows, but behind those who sign in."""
        async with self._bulk:
            return await self.run(lambda: self.hash_now(secret))

    async def verify(self, secret: str, verifier: Verifier | None) -> bool:
        """As `Place.verify`. Raises `HasherBusy`."""
        with self.place() as place:
            return await place.verify(secret, verifier)

    def outdated(self, verifier: Verifier) -> bool:
        """Whether a sign-in should make this verifier anew."""
        return verifier.pepper != self._peppers.current or self._argon2.check_needs_rehash(verifier.text)

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def hash_now(self, secret: str) -> Verifier:
        """Blocks for the length of a hash."""
        pepper = self._peppers.current
        return Verifier(self._argon2.hash(self._peppers.apply(secret, pepper)), pepper)

    def verify_now(self, secret: str, verifier: Verifier | None) -> bool:
        """Blocks for the length of a hash."""
        known = verifier or self._nobody
        try:
            self._argon2.verify(known.text, self._peppers.apply(secret, known.pepper))
        except (VerificationError, InvalidHashError):
            return False
        return verifier is not None
