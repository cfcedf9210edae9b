"""PostgreSQL connections, as every service opens them."""

import asyncio

import asyncpg
from asyncpg.pool import PoolConnectionProxy

_KEEPALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
_LIMITS = {"idle_in_transaction_session_timeout": "15s", "lock_timeout": "30s"}
"""A process that froze or vanished holds no lock for long."""

Connection = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool


async def open_pool(url: str, *, name: str, most: int = 12) -> asyncpg.Pool:
    """A pool whose connections carry `name` and give up on a statement after 60 seconds."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=most,
        command_timeout=60,
        server_settings={"application_name": name, "jit": "off", **_LIMITS, **_KEEPALIVE},
    )


class AdvisoryLock:
    """A session lock on a connection of its own: held by one process at a time, gone with its connection."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: asyncpg.Connection | None = None

    async def acquire(self, retry_seconds: float = 0.5) -> None:
        """Waits until this process holds the lock."""
        while True:
            if await self._try():
                return
            await asyncio.sleep(retry_seconds)

    async def _try(self) -> bool:
        if self._connection is None or self._connection.is_closed():
            settings = {"application_name": f"lock:{self._name}", **_KEEPALIVE}
            self._connection = await asyncpg.connect(
                self._url, timeout=5, command_timeout=5, server_settings=settings
            )
        try:
            return bool(
                await self._connection.fetchval(
                    "select pg_try_advisory_lock(hashtextextended($1, 0))", self._name
                )
            )
        except TimeoutError:
            await self.release()
            return False

    def held(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def release(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.terminate()
