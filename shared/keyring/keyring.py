"""Personal data sealed under a key per person and purpose (DESIGN 6, B4).

AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D), bound to event id and field. The keys lie in the
`keyring` database, each wrapped by a key-encryption key from a file that lies apart from every database.
"""

import time
from binascii import b2a_base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice, takewhile
from os import urandom
from pathlib import Path
from typing import NamedTuple

import asyncpg
import orjson
import uuid_utils
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ConfigDict, TypeAdapter

from shared import faults
from shared.database import Pool
from shared.sql import Statements

SQL = Statements(__file__)
CACHE_SECONDS = 60.0
CACHE_KEYS = 20_000
"""At most: a replay meets every person of a history, and memory stays what it was."""
_NONCE = 12
_KEY = 32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class KeyUnavailable(Exception):
    """A key that sealing needs was not prepared: a mistake of the caller, never of the data."""


class WrongKeyEncryptionKey(Exception):
    def __init__(self) -> None:
        super().__init__(
            "the key-encryption key does not open the keyring: is CUSTODE_KEYRING_KEK_FILE the file that belongs "
            "to this database?"
        )


class _Key(NamedTuple):
    key_id: str
    subject: tuple[str, str]
    cipher: AESGCM
    until: float


class KeyEncryptionKey:
    """The key that wraps keys: 32 bytes from a file (a KMS can stand behind the same two methods)."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("the key-encryption key must have exactly 32 bytes")
        self._cipher = AESGCM(secret)

    @classmethod
    def from_file(cls, path: Path) -> "KeyEncryptionKey":
        return cls(path.read_bytes())

    def wrap(self, plain: bytes, bound_to: bytes) -> bytes:
        nonce = urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, bound_to)

    def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], bound_to)
        except InvalidTag:
            raise WrongKeyEncryptionKey from None


_from_base64 = TypeAdapter(bytes, config=ConfigDict(val_json_bytes="base64")).validator.validate_json
"""Of a JSON string: three times as fast as the standard library, which does not know the URL-safe alphabet."""


class HeldKeys:
    """The keys of one batch, held for as long as the batch is worked on: sealing and opening without I/O.

    By their ids; None for one that was destroyed.
    """

    def __init__(self, by_id: Mapping[str, _Key | None]) -> None:
        self._by_id = by_id

    @cached_property
    def _by_subject(self) -> dict[tuple[str, str], _Key]:
        return {key.subject: key for key in self._by_id.values() if key is not None}

    def seal(self, person: str, purpose: str, plain: bytes, bound_to: bytes) -> dict[str, str]:
        key = self._by_subject.get((person, purpose))
        if key is None:
            raise KeyUnavailable("this person's key was not among those prepared")
        nonce = urandom(_NONCE)
        box = nonce + key.cipher.encrypt(nonce, plain, bound_to)
        return {
            "person": person,
            "purpose": purpose,
            "key": key.key_id,
            "sealed": b2a_base64(box, newline=False).translate(_URL_SAFE).decode("ascii"),
        }

    def open(self, box: Mapping[str, str], bound_to: bytes) -> bytes | None:
        key = self._by_id.get(box["key"])
        if key is None:
            return None
        sealed = _from_base64(f'"{box["sealed"]}"')
        return key.cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)


class Keyring:
    """Fetches keys set-wise before the work. A key is used for at most 60 seconds after it was read (and for
    the batch then under way), so that a destroyed one is soon gone everywhere.
    """

    def __init__(self, pool: Pool, kek: KeyEncryptionKey) -> None:
        self._pool = pool
        self.kek = kek
        self._cache: dict[str, _Key] = {}
        self._id_of: dict[tuple[str, str], str] = {}

    async def prepare(self, subjects: Collection[tuple[str, str]]) -> HeldKeys:
        """A key for every (person, purpose), made where there is none yet."""
        self._forget_old()
        held = {s: self._cache[i] for s in subjects if (i := self._id_of.get(s)) is not None}
        missing = [s for s in subjects if s not in held]
        if missing:
            held |= await self._read_subjects(missing)
        missing = [s for s in missing if s not in held]
        if missing:
            held |= await self._make(missing)
        return HeldKeys({key.key_id: key for key in held.values()})

    async def load(self, key_ids: Collection[str]) -> HeldKeys:
        """These keys, for opening; those that were destroyed stay away."""
        self._forget_old()
        held = {key_id: self._cache.get(key_id) for key_id in key_ids}
        missing = [key_id for key_id, key in held.items() if key is None]
        if missing:
            read = self._unwrapped(await self._pool.fetch(SQL("keys_by_id"), missing))
            held |= {key.key_id: key for key in read.values()}
        return HeldKeys(held)

    async def _make(self, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], _Key]:
        made = [(str(uuid_utils.uuid4()), subject, urandom(_KEY)) for subject in subjects]
        rows = [
            {
                "key_id": key_id,
                "person": person,
                "purpose": purpose,
                "wrapped": self.kek.wrap(plain, _binding(key_id, person, purpose)).hex(),
            }
            for key_id, (person, purpose), plain in made
        ]
        done = await self._pool.execute(SQL("insert_keys"), orjson.dumps(rows).decode())
        faults.reach(faults.Point.key_made)
        if done != f"INSERT 0 {len(made)}":
            # Another service was first with some: what stands in the table counts.
            return await self._read_subjects(subjects)
        return self._keep(made)

    async def _read_subjects(self, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], _Key]:
        asked = [{"person": person, "purpose": purpose} for person, purpose in subjects]
        return self._unwrapped(await self._pool.fetch(SQL("keys_by_subject"), orjson.dumps(asked).decode()))

    def _unwrapped(self, rows: Iterable[asyncpg.Record]) -> dict[tuple[str, str], _Key]:
        unwrap = self.kek.unwrap
        return self._keep(
            [
                (key_id, (person, purpose), unwrap(wrapped, _binding(key_id, person, purpose)))
                for key_id, person, purpose, wrapped in rows
            ]
        )

    def _keep(self, keys: Iterable[tuple[str, tuple[str, str], bytes]]) -> dict[tuple[str, str], _Key]:
        until = time.monotonic() + CACHE_SECONDS
        kept: dict[tuple[str, str], _Key] = {}
        for key_id, subject, plain in keys:
            key = _Key(key_id, subject, AESGCM(plain), until)
            self._cache.pop(key_id, None)
            kept[subject] = self._cache[key_id] = key
            self._id_of[subject] = key_id
        self._forget(islice(self._cache.values(), max(0, len(self._cache) - CACHE_KEYS)))
        return kept

    def _forget_old(self) -> None:
        now = time.monotonic()
        # Keys were kept in the order of their ends: the first that lives ends the search.
        self._forget(takewhile(lambda key: key.until < now, self._cache.values()))

    def _forget(self, keys: Iterable[_Key]) -> None:
        """In one go: the search for a dict's first entry steps over all that were taken away before it."""
        for key in list(keys):
            del self._cache[key.key_id]
            self._id_of.pop(key.subject, None)


def _binding(key_id: str, person: str, purpose: str) -> bytes:
    return f"{key_id}/{person}/{purpose}".encode()
