"""Keys of school systems: 256 random bits, shown once, of which only the SHA-256 is kept. Each may do what its scopes
say, and nothing else."""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from shared.database import Pool
from shared.ids import new_id
from shared.sql import Statements

SQL = Statements(__file__)
PREFIX = "custode_"


class Scope(StrEnum):
    """What one may do over HTTP: enter single enrolments, files, say which mailboxes of pupils are there, or read who
    belongs to the school."""

    enrol = "enrol"
    import_ = "import"
    mailboxes = "mailboxes"
    read = "read"


USUAL_SCOPES: Final = frozenset({Scope.enrol, Scope.import_})
"""A system that feeds the registry knows its pupils: it has nothing to read here."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Whom a key stands for; `actor` is what its deeds are signed with."""

    id: str
    school: str
    scopes: frozenset[Scope]

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


@dataclass(frozen=True, slots=True)
class KeptApiKey:
    """What is known of a key once it was shown. `last_used_at` is true to the minute."""

    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NameTaken(Exception):
    def __init__(self) -> None:
        super().__init__("the school has a key of this name already: revoke it, or take another name")


class ApiKeys:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, school: str, name: str, scopes: Collection[Scope], *, by: str) -> NewApiKey:
        """Raises `NameTaken`; `ValueError` without any scope."""
        if not scopes:
            raise ValueError("a key without any scope opens nothing")
        key = NewApiKey(new_id(), PREFIX + secrets.token_urlsafe(32))
        added = await self._pool.fetchval(
            SQL("add_api_key"), key.id, school, name, _hash(key.secret), by, list(_ordered(scopes))
        )
        if added is None:
            raise NameTaken
        return key

    async def find(self, secret: str) -> ApiKey | None:
        """The valid key, noted as used. Full entropy, so a lookup by hash tells a guesser nothing."""
        if not secret.startswith(PREFIX) or len(secret) > 100:
            return None
        row = await self._pool.fetchrow(SQL("api_key"), _hash(secret))
        if row is None:
            return None
        return ApiKey(row["id"], row["school"], frozenset(Scope(each) for each in row["scopes"]))

    async def of_school(self, school: str) -> list[KeptApiKey]:
        """The oldest first, revoked ones included."""
        return [
            KeptApiKey(
                row["name"],
                _ordered(Scope(each) for each in row["scopes"]),
                row["created_at"],
                row["last_used_at"],
                row["revoked_at"],
            )
            for row in await self._pool.fetch(SQL("api_keys"), school)
        ]

    async def revoke(self, school: str, name: str) -> bool:
        return await self._pool.fetchval(SQL("revoke_api_key"), school, name) is not None


def _ordered(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    given = set(scopes)
    return tuple(scope for scope in Scope if scope in given)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()
