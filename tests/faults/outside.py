"""Looking into the databases from outside, patiently: the server may just be starting again."""

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import asyncpg

from deploy.environment import Wiring
from shared.database import DATABASE_TROUBLES
from tests.faults.patience import GaveUp

_TROUBLE = (OSError, TimeoutError, asyncpg.PostgresError, *DATABASE_TROUBLES)
_SECONDS = 120.0


class Outside:
    """Reads as the services' roles do; writes nothing."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._open: dict[str, asyncpg.Connection] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._open.values():
            connection.terminate()

    async def rows(self, service: str, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Errors: GaveUp."""
        deadline = time.monotonic() + _SECONDS
        async with self._locks.setdefault(service, asyncio.Lock()):
            while True:
                try:
                    connection = await self._connection(service)
                    return list(await connection.fetch(statement, *arguments, timeout=20))
                except _TROUBLE as fault:
                    if (broken := self._open.pop(service, None)) is not None:
                        broken.terminate()
                    if time.monotonic() > deadline:
                        raise GaveUp(f"the database of {service}: {type(fault).__name__}") from None
                    await asyncio.sleep(0.2)

    async def value(self, service: str, statement: str, *arguments: Any) -> Any:
        rows = await self.rows(service, statement, *arguments)
        return rows[0][0] if rows else None

    async def _connection(self, service: str) -> asyncpg.Connection:
        found = self._open.get(service)
        if found is None or found.is_closed():
            found = await asyncpg.connect(self._wiring.urls(service).runtime, timeout=10)
            self._open[service] = found
        return found
