"""Keys of school systems: 256 random bits, shown once, of which only the SHA-256 is kept."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from shared.database import Pool
from shared.ids import new_id
from shared.sql import Statements

SQL = Statements(__file__)
PREFIX = "custode_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Whom a key stands for; `actor` is what its deeds are signed with."""

    id: str
    school: str

    @property
    def actor(self) -> str:
        return f"system:{self.id}"


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """`secret` is shown this once."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"NewApiKey(id={self.id!r}, …)"


class NameTaken(Exception):
    def __init__(self) -> None:
        super().__init__("the school has a key of this name already: revoke it, or take another name")


class ApiKeys:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, school: str, name: str, *, by: str) -> NewApiKey:
        key = NewApiKey(new_id(), PREFIX + secrets.token_urlsafe(32))
        added = await self._pool.fetchval(SQL("add_api_key"), key.id, school, name, _hash(key.secret), by)
        if added is None:
            raise NameTaken
        return key

    async def find(self, secret: str) -> ApiKey | None:
        """Full entropy, so a lookup by hash tells a guesser nothing."""
        if not secret.startswith(PREFIX) or len(secret) > 100:
            return None
        row = await self._pool.fetchrow(SQL("api_key"), _hash(secret))
        return None if row is None else ApiKey(row["id"], row["school"])

    async def revoke(self, school: str, name: str) -> bool:
        return await self._pool.fetchval(SQL("revoke_api_key"), school, name) is not None


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()
