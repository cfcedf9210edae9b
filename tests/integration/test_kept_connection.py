"""A connection that its user keeps: back in the pool when it rests, when it fails, when the pool closes."""

import asyncio

import asyncpg
import pytest

from deploy.engines import PostgresEngine
from shared.database import KeptConnection, open_pool

PID = "select pg_backend_pid()"


async def test_it_is_kept_from_use_to_use_and_given_back_at_rest(postgres: PostgresEngine) -> None:
    pool = await open_pool(postgres.admin_url(), name="kept", most=1)
    kept = KeptConnection(pool)
    pids = set()
    for _ in range(3):
        async with kept as connection:
            pids.add(await connection.fetchval(PID))
    assert len(pids) == 1
    assert pool.get_idle_size() == 0
    # The pool has no other: whoever waits gets it.
    assert await asyncio.wait_for(pool.fetchval("select 1"), 5) == 1
    async with kept as connection:
        assert await connection.fetchval("select 2") == 2
    await asyncio.wait_for(pool.close(), 5)


async def test_after_a_failure_it_is_another_use(postgres: PostgresEngine) -> None:
    pool = await open_pool(postgres.admin_url(), name="kept", most=1)
    kept = KeptConnection(pool)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with kept as connection:
            await connection.execute("begin")
            await connection.execute("select from no_such_table")
    assert pool.get_idle_size() == 1
    assert (await kept.fetch("select 1 as one"))[0]["one"] == 1
    await asyncio.wait_for(pool.close(), 5)


async def test_a_connection_that_was_cut_is_replaced(postgres: PostgresEngine) -> None:
    pool = await open_pool(postgres.admin_url(), name="kept", most=2)
    kept = KeptConnection(pool)
    async with kept as connection:
        cut = await connection.fetchval(PID)
        await pool.execute("select pg_terminate_backend($1)", cut)
        with pytest.raises(asyncpg.InterfaceError):
            while not connection.is_closed():
                await asyncio.sleep(0.001)
    assert (await kept.fetch(PID))[0][0] != cut
    await asyncio.wait_for(pool.close(), 5)


async def test_who_comes_while_it_is_in_use_takes_another(postgres: PostgresEngine) -> None:
    pool = await open_pool(postgres.admin_url(), name="kept", most=4)
    kept = KeptConnection(pool)
    found = await asyncio.gather(*(kept.fetch("select pg_backend_pid(), pg_sleep(0.05)") for _ in range(2)))
    assert len({rows[0][0] for rows in found}) == 2
    await asyncio.wait_for(pool.close(), 5)
