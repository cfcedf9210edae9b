"""PostgreSQL connections, as every service opens them."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

T = TypeVar("T")
_KEEPALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
_LIMITS = {"idle_in_transaction_session_timeout": "15s", "lock_timeout": "30s"}
"""A process that froze or vanished holds no lock for long."""

Connection = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool


class DatabaseAway(asyncpg.PostgresConnectionError):
    """No connection to the server: it is down, or takes none."""


DATABASE_TROUBLES = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's own confusion when a connection is cut between two messages
    asyncpg.OperatorInterventionError,  # shut down, cut off, a statement's time is up
    asyncpg.InsufficientResourcesError,  # disk, memory, connections
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
)
"""The server's own troubles, not the statement's: the same may go well a moment later. Where a connection broke
during a commit, its outcome is not known."""

_TOLD = {
    asyncpg.DiskFullError: "the database's disk is full",
    asyncpg.QueryCanceledError: "the database cancels statements (its statement_timeout?)",
    asyncpg.LockNotAvailableError: "the database waits for a lock that another session holds",
    asyncpg.ReadOnlySQLTransactionError: "the database is read-only (a standby?)",
    asyncpg.TooManyConnectionsError: "the database takes no more connections",
    DatabaseAway: "the database takes no connections",
    asyncpg.PostgresConnectionError: "the connection to the database broke",
    asyncpg.InterfaceError: "the connection to the database broke",
    asyncpg.InternalClientError: "the connection to the database broke",
}
_FORGOTTEN_AFTER = 60.0
_KEPT_SECONDS = 0.01


class Writing:
    """`async with` around a write: whether the server takes any, for `/readyz`.

    A refusal counts until a write goes well, or for a minute: in a quiet hour nobody would try again.
    """

    def __init__(self) -> None:
        self._refused: tuple[float, str] | None = None

    def problem(self) -> str | None:
        """Why the server refused the last write, in words; None when all is well."""
        if self._refused is None or time.monotonic() - self._refused[0] > _FORGOTTEN_AFTER:
            return None
        return self._refused[1]

    async def __aenter__(self) -> None:
        """Nothing to do before."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._refused = None
        elif isinstance(error, DATABASE_TROUBLES):
            told = next((text for of, text in _TOLD.items() if isinstance(error, of)), None)
            reason = told or f"the database refuses a write ({type(error).__name__})"
            self._refused = time.monotonic(), reason


async def _connect(*arguments: Any, **options: Any) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(*arguments, **options)
    except (OSError, TimeoutError) as trouble:
        raise DatabaseAway(f"no connection ({type(trouble).__name__})") from trouble


class _Lent(asyncpg.Connection):
    """Given back as it is: asyncpg would spend a round trip on each return to undo what nobody does here.

    Nothing sets, listens or opens cursors on a pool's connection; who takes a session lock gives it up itself. An
    open transaction is rolled back all the same.
    """

    def get_reset_query(self) -> str:
        return ""


async def open_pool(url: str, *, name: str, most: int = 12) -> asyncpg.Pool:
    """A pool whose connections carry `name` and give up on a statement after 60 seconds."""
    return await asyncpg.create_pool(
        url,
        connection_class=_Lent,
        min_size=1,
        max_size=most,
        command_timeout=60,
        connect=_connect,
        server_settings={"application_name": name, "jit": "off", **_LIMITS, **_KEEPALIVE},
    )


class KeptConnection:
    """`async with`: a pool's connection, which one user keeps from one use to the next.

    Taking it from the pool and giving it back costs more than a statement. It goes back after a failure, and when it
    has not been used for a moment: a pool closes once it has all of its connections. For one use at a time.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: PoolConnectionProxy | None = None
        self._in_use = False
        self._used = False
        self._looked_after = False
        self._giving_back: asyncio.Task[None] | None = None

    async def fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """As `Pool.fetch`; who comes while it is in use takes another connection."""
        if self._in_use:
            return await self._pool.fetch(statement, *arguments)
        async with self as connection:
            return await connection.fetch(statement, *arguments)

    async def __aenter__(self) -> PoolConnectionProxy:
        self._in_use = self._used = True
        try:
            if self._connection is not None and not _alive(self._connection):
                await self._give_back()
            if self._connection is None:
                self._connection = await self._pool.acquire()
            if not self._looked_after:
                self._look_again()
        except BaseException:
            self._in_use = False
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                await self._give_back()
        finally:
            self._in_use = False

    def _look_again(self) -> None:
        self._looked_after = True
        asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._look_after)

    def _look_after(self) -> None:
        if self._in_use or self._used:
            self._used = False
            self._look_again()
        else:
            self._looked_after = False
            # What is taken from here on is another.
            connection, self._connection = self._connection, None
            if connection is not None:
                self._giving_back = asyncio.create_task(self._pool.release(connection))

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)


def _alive(connection: PoolConnectionProxy) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # it was cut, and the pool took it back by itself
        return False


async def unless_cut(connection: Connection, work: Coroutine[Any, Any, T]) -> T:
    """`work` with this connection; `ConnectionDoesNotExistError` as soon as it is cut.

    For a COPY: asyncpg (0.32) waits for room on the line without an end, be the line gone.
    """
    cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ended(_: object) -> None:
        if not cut.done():
            cut.set_result(None)

    task = asyncio.create_task(work)
    connection.add_termination_listener(ended)
    try:
        await asyncio.wait((task, cut), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise asyncpg.ConnectionDoesNotExistError("the connection was cut")
        return task.result()
    finally:
        with suppress(asyncpg.InterfaceError):
            connection.remove_termination_listener(ended)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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
