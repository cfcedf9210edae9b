"""PostgreSQL restarts, cuts connections, gives up on statements, makes everybody wait for a lock."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.engines.house import House, admin, house
from tests.faults.scenario import Report, scenario

SERVICES = ["registry", "identity", "notifications"]


@scenario("postgres-restarts")
async def postgres_restarts(report: Report) -> None:
    """Stopped in good order, and killed, while families arrive. What was answered is there afterwards."""
    async with house(report) as here:
        async with here.arriving():
            for turn in range(10 if report.long else 2):
                await asyncio.sleep(1.0)
                if turn % 2:
                    await here.running.stop("postgres")
                    await here.red("registry", "the database does not answer")
                    await asyncio.sleep(3.0 if report.long else 0.5)
                    await here.running.start("postgres")
                else:
                    await here.running.kill("postgres")
                    report.kills += 1
                    await here.running.wait_ready("postgres")
            await asyncio.sleep(1.0)
        await here.settles()


@scenario("postgres-cuts")
async def postgres_cuts(report: Report) -> None:
    """Every connection of the services is cut, again and again: between, before and within commits."""
    moments = random.Random(report.seed)
    async with house(report) as here:
        async with here.arriving(at_once=8, pause=0.0):
            for turn in range(120 if report.long else 6):
                await asyncio.sleep(moments.uniform(0.02, 0.6))
                await cut(here, only_writing=turn % 3 == 0)
        await here.settles()


@scenario("postgres-statement-timeout")
async def postgres_statement_timeout(report: Report) -> None:
    """A hasty setting gives each statement a few milliseconds; it is taken back, and no service is restarted."""
    async with house(report) as here:
        async with here.arriving():
            await asyncio.sleep(0.5)
            before = {service: here.running.pid(service) for service in SERVICES}
            for milliseconds in (1, 5, 20) if report.long else (1,):
                async with hasty(here, f"{milliseconds}ms"):
                    await asyncio.sleep(10.0 if report.long else 2.0)
                await asyncio.sleep(1.0)
        await here.settles()
        if {service: here.running.pid(service) for service in SERVICES} != before:
            report.violation("recovery", "a service ended, though its database only refused statements")


@scenario("postgres-lock")
async def postgres_lock(report: Report) -> None:
    """Somebody holds the lock that every commit of the registry needs: short waits are waits, long ones are told."""
    async with house(report) as here:
        async with here.arriving():
            await asyncio.sleep(0.5)
            async with admin(here.postgres, "registry") as connection, connection.transaction():
                await connection.execute("lock table events.head in access exclusive mode")
                if report.long:
                    await here.red("registry", "waits for a lock", seconds=40.0)
                await asyncio.sleep(2.0)
        if not report.long and set(here.answers) != {"201"}:
            report.violation("answers", f"two seconds of waiting became {dict(here.answers)}")
        await here.settles()


@asynccontextmanager
async def hasty(here: House, most: str) -> AsyncIterator[None]:
    """For the block every statement of the registry and of identity is cancelled after `most`."""
    async with (
        settings(here, "registry", statement_timeout=most),
        settings(here, "identity", statement_timeout=most),
    ):
        yield


@asynccontextmanager
async def settings(here: House, role: str, **values: str) -> AsyncIterator[None]:
    """For the block a role's new connections have these settings; its old ones are cut at either end."""
    async with admin(here.postgres) as connection:
        for name, value in values.items():
            await connection.execute(f"alter role {role} set {name} = '{value}'")
        await cut(here)
        try:
            yield
        finally:
            for name in values:
                await connection.execute(f"alter role {role} reset {name}")
            await cut(here)


async def cut(here: House, *, only_writing: bool = False) -> None:
    """Cuts the services' connections; only those in the middle of a transaction that writes, where wanted."""
    async with admin(here.postgres) as connection:
        await connection.execute(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where usename = any($1) and (backend_xid is not null or not $2)
            """,
            SERVICES,
            only_writing,
        )
