"""Initial secrets drawn and hashed ahead of need, so that the cores go on hashing while a batch is committed.

A secret in stock is nobody's: it opens nothing until it is given to a credential, and the stock ends with the process.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from argon2.exceptions import HashingError

from services.identity.initial_secrets import canonical_password, new_password, new_pin
from services.identity.passwords import Hasher, Verifier
from shared.tasks import end

log = structlog.get_logger()
IN_STOCK = 64
"""Of each kind, at the most: what a core or two hash while a reader's batch is committed."""
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A secret as its holder will read it, and what is kept of it."""

    plain: str = field(repr=False)
    verifier: Verifier


class Stock:
    """Secrets of one kind: kept ready are as many as were ever asked for at once, so that who issues one alone does not
    pay for a campaign."""

    def __init__(self, hasher: Hasher, draw: Callable[[], str], hashed: Callable[[str], str]) -> None:
        self._hasher = hasher
        self._draw = draw
        self._hashed = hashed
        self._ready: asyncio.Queue[Drawn] = asyncio.Queue()
        self._to_make = asyncio.Semaphore(0)
        self._ahead = 0
        self._makers: list[asyncio.Task[None]] = []

    async def take(self, count: int) -> list[Drawn]:
        """`count` secrets that nobody else gets, as fast as the cores hash."""
        if count and not self._makers:
            self._makers = [asyncio.create_task(self._make()) for _ in range(self._hasher.cores)]
        ahead = max(self._ahead, min(count, IN_STOCK))
        for _ in range(count + ahead - self._ahead):
            self._to_make.release()
        self._ahead = ahead
        return [await self._ready.get() for _ in range(count)]

    async def close(self) -> None:
        for maker in self._makers:
            await end(maker)

    async def _make(self) -> None:
        while await self._to_make.acquire():
            await self._ready.put(await self._made())

    async def _made(self) -> Drawn:
        plain = self._draw()
        while True:
            try:
                return Drawn(plain, await self._hasher.hash_behind(self._hashed(plain)))
            except (HashingError, MemoryError):
                log.error("secrets.no_memory")
                await asyncio.sleep(_PAUSE_SECONDS)


def passwords(hasher: Hasher) -> Stock:
    return Stock(hasher, new_password, canonical_password)


def pins(hasher: Hasher) -> Stock:
    return Stock(hasher, new_pin, str)
