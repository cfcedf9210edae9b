"""One intake per school at a time: who is who must not be decided twice at once."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from uuid import UUID, uuid4

import asyncpg

from shared.database import DATABASE_TROUBLES, Connection, Pool
from shared.eventstore.units import Write
from shared.sql import Statements

SQL = Statements(__file__)
TURN_LOST = asyncpg.SerializationError
"""The connection that held the lock broke, and another intake has begun: decide again."""
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
    async def held(self, schools: Iterable[str]) -> AsyncIterator["Turn"]:
        """The locks of these schools, always in the same order.

        A lock ends with its connection: what is decided here is committed with `Turn.kept`, which raises `TURN_LOST`
        when another has taken the turn meanwhile.
        """
        wanted = sorted(set(schools))
        turn = Turn(uuid4())
        async with AsyncExitStack() as stack:
            for school in wanted:
                await stack.enter_async_context(self._locks[school])
            await stack.enter_async_context(self._slots)
            connection = await stack.enter_async_context(self._pool.acquire())
            try:
                for school in wanted:
                    await _acquire(connection, school, turn)
                yield turn
            finally:
                await _release(connection)


class Turn:
    """A turn at some schools."""

    def __init__(self, token: UUID) -> None:
        self.token = token

    def kept(self, school: str) -> Write:
        """To be carried out with whatever was decided."""
        return Write(SQL("keep_turn"), ((school, self.token),), beside=True)


async def _release(connection: Connection) -> None:
    """A connection that could not be freed of its locks is not given to anybody else; they end with it."""
    try:
        await connection.execute("select pg_advisory_unlock_all()")
    except BaseException as error:
        with suppress(asyncpg.InterfaceError):  # gone already
            connection.terminate()
        # What was done under the lock is done, or has failed for a reason of its own.
        if not isinstance(error, DATABASE_TROUBLES):
            raise


async def _acquire(connection: Connection, school: str, turn: Turn) -> None:
    # Asked for again and again: a statement that waits would meet its timeout during a long import.
    while True:
        if await connection.fetchval(SQL("take_turn"), school, turn.token):
            return
        await asyncio.sleep(_RETRY_SECONDS)
