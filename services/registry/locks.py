"""One intake per school at a time: who is who must not be decided twice at once."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from shared.database import Connection, Pool

_AT_ONCE = 4
_RETRY_SECONDS = 0.05


class SchoolLocks:
    """Within this process by an asyncio lock, among processes (a command line) by an advisory lock.

    Each holder occupies a connection, so at most four work at once: the rest of the pool is for their commits.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def held(self, schools: Iterable[str]) -> AsyncIterator[None]:
        """The locks of these schools, always in the same order."""
        wanted = sorted(set(schools))
        async with AsyncExitStack() as stack:
            for school in wanted:
                await stack.enter_async_context(self._locks[school])
            await stack.enter_async_context(self._slots)
            connection = await stack.enter_async_context(self._pool.acquire())
            try:
                for school in wanted:
                    await _acquire(connection, f"intake:{school}")
                yield
            finally:
                await _release(connection)


async def _release(connection: Connection) -> None:
    """A connection that could not be freed of its locks is not given to anybody else."""
    if connection.is_closed():
        return
    try:
        await connection.execute("select pg_advisory_unlock_all()")
    except BaseException:
        connection.terminate()
        raise


async def _acquire(connection: Connection, name: str) -> None:
    # Asked for again and again: a statement that waits would meet its timeout during a long import.
    while True:
        if await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", name):
            return
        await asyncio.sleep(_RETRY_SECONDS)
