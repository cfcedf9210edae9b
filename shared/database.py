"""PostgreSQL connections, as every service opens them."""

import asyncio

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool


async def open_pool(url: str, *, name: str, most: int = 12) -> asyncpg.Pool:
    """A pool whose connections carry `name` and give up on a statement after 60 seconds."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=most,
        command_timeout=60,
        server_settings={"application_name": name, "jit": "off"},
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
            connection = self._connection
            if connection is None or connection.is_closed():
                connection = self._connection = await asyncpg.connect(
                    self._url, server_settings={"application_name": f"lock:{self._name}"}
                )
            if await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", self._name):
                return
            await asyncio.sleep(retry_seconds)

    def held(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def release(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.terminate()
