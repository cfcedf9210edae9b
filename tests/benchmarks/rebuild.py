"""Rebuild of all projections of a registry, as `custode rebuild` does it: in a process of its own, compared and switched.

The floor is what nobody can do without: the same events fetched, and the resulting rows written by COPY into equal
tables, from a file that is binary already.
"""

import asyncio
import gc
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import asyncpg

from shared.database import open_pool
from shared.eventstore.rebuild_workers import workers_here
from shared.runtime import COLLECT_AFTER
from tests.benchmarks.figure import Bar, Bench, Figure, benchmark
from tests.benchmarks.history import Place, lived, opened, rebuilt

_PAGE = 1000
_ROUNDS = 3
"""At most: each takes about a minute."""


@benchmark("rebuild")
async def rebuild(bench: Bench) -> list[Figure]:
    """Its time, and the memory at its peak beside that over a tenth of the history."""
    schools, fewer = (100, 10) if bench.long else (2, 1)
    place, smaller = await lived(bench, "many", schools), await lived(bench, "some", fewer)
    read, rows = await _kept(place, bench.folder)
    peaks: list[float] = []

    thrice = replace(bench, rounds=min(bench.rounds, _ROUNDS))

    async def ours() -> float:
        seconds, peak = await _alone(place)
        peaks.append(peak)
        return seconds

    took = await thrice.compare(
        "rebuild",
        "s",
        f"{read:,} events, {rows:,} rows; {thrice.rounds} rounds",
        Bar("floor", "most", 4),
        value=ours,
        floor=lambda: _floor(place, bench.folder, read),
        warm_up=False,
    )
    of_fewer = [(await _alone(smaller))[1] for _ in peaks]
    memory = Figure(
        "rebuild, memory",
        "MiB",
        f"{schools} schools against {fewer}",
        {"value": tuple(peaks), "floor": tuple(of_fewer)},
        (Bar("floor", "most", 1.2),),
    )
    return [took, memory]


async def _alone(place: Place) -> tuple[float, float]:
    """(seconds, MiB at the peak of all its processes together), in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return await asyncio.get_running_loop().run_in_executor(process, _measured, place)


def _measured(place: Place) -> tuple[float, float]:
    gc.set_threshold(*COLLECT_AFTER)
    began = time.perf_counter()
    report = asyncio.run(rebuilt(place))
    seconds = time.perf_counter() - began
    assert report.differences == {} and report.switched
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return seconds, (own + workers_here() * largest_worker) / 1024


async def _kept(place: Place, folder: Path) -> tuple[int, int]:
    """Write the rows of every table to a file as COPY reads them; how many events and rows there are."""
    rows = 0
    async with opened(place) as store:
        for table in await _tables(store.pool):
            said = await store.pool.copy_from_table(
                table, schema_name="projections", output=folder / f"{table}.rows", format="binary"
            )
            rows += int(said.split()[-1])
        return await store.head(), rows


async def _floor(place: Place, folder: Path, events: int) -> float:
    pool = await open_pool(place.owner_url, name="floor")
    try:
        tables = await _tables(pool)
        await pool.execute("drop schema if exists floor cascade; create schema floor")
        for table in tables:
            await pool.execute(f"create table floor.{table} (like projections.{table} including all)")
        began = time.perf_counter()
        read = 0
        while page := await pool.fetch(
            "select position, entry from events.entries where position > $1 order by position limit $2",
            read,
            _PAGE,
        ):
            read += len(page)
        for table in tables:
            await pool.copy_to_table(
                table, schema_name="floor", source=folder / f"{table}.rows", format="binary"
            )
        took = time.perf_counter() - began
        assert read == events
        return took
    finally:
        await pool.execute("drop schema floor cascade")
        await pool.close()


async def _tables(pool: asyncpg.Pool) -> list[str]:
    found = await pool.fetch("select tablename from pg_tables where schemaname = 'projections' order by 1")
    return [row["tablename"] for row in found]
