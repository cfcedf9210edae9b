"""The desk's search by name, in a school of 2,000 pupils (M7: a name in under 200 ms)."""

import itertools
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from services.notifications.searching import search
from shared import migrations
from shared.database import Pool, open_pool
from shared.runtime import KERNEL
from tests.benchmarks.figure import Bench, Figure, benchmark
from tests.benchmarks.ground import new_database

_MIGRATIONS = KERNEL.parent / "services" / "notifications" / "migrations"
SCHOOL, YEAR = "RMIC8AB00X", "2026/2027"
FAMILIES = (
    "Rossi",
    "Ferrari",
    "Esposito",
    "Bianchi",
    "Romano",
    "Colombo",
    "Ricci",
    "Marino",
    "Greco",
    "Bruno",
)
GIVEN = ("Aurora", "Leonardo", "Giulia", "Lorenzo", "Sofia", "Mattia", "Alice", "Edoardo")
ASKED = ("r", "ros", "rossi", "gre anna7", "1a ferr", "colombo leo", "M00004", "nessuno", "bruno b")
_COLUMNS = {
    "classes_v1": ("class_id", "school", "year", "title"),
    "pupils_v1": ("student", "school", "family_name", "given_name", "institutional_email"),
    "places_v1": ("student", "year", "school", "class_id"),
    "guardians_v1": ("guardian", "school", "family_name", "given_name", "language"),
    "guardianships_v1": ("guardian", "student", "school", "relationship", "data_access"),
    "accounts_v1": ("account", "school", "holder", "role", "user_code"),
}


@benchmark("search")
async def search_by_name(bench: Bench) -> list[Figure]:
    pupils = 2_000 if bench.long else 200
    async with AsyncExitStack() as stack:
        name = await new_database(bench, "notifications_owner")
        components = [("eventstore", KERNEL / "eventstore" / "migrations"), ("notifications", _MIGRATIONS)]
        url = bench.postgres.role_url("notifications_owner", name)
        await migrations.migrate(url, components, service_role="notifications")
        pool = await open_pool(bench.postgres.role_url("notifications", name), name="notifications")
        stack.push_async_callback(pool.close)
        await fill(pool, pupils)
        now = datetime.now(UTC)

        async def ours() -> float:
            began = time.perf_counter()
            for text in ASKED:
                await search(pool, SCHOOL, text, now)
            return (time.perf_counter() - began) / len(ASKED) * 1000

        async def bare() -> float:
            began = time.perf_counter()
            for text in ASKED:
                await pool.fetch(
                    "select student, family_name, given_name from projections.pupils_v1 "
                    "where school = $1 and family_name ilike $2 limit 50",
                    SCHOOL,
                    f"{text}%",
                )
            return (time.perf_counter() - began) / len(ASKED) * 1000

        work = f"one name of {pupils} pupils and {2 * pupils} guardians, with the state of each found"
        return [await bench.compare("search by name", "ms", work, value=ours, floor=bare)]


async def fill(pool: Pool, pupils: int) -> None:
    """A school of so many pupils in 80 classes, two guardians each, every one with an account."""
    rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _COLUMNS}
    classes = [f"{n % 5 + 1}{chr(65 + n // 5)}" for n in range(80)]
    rows["classes_v1"] = [(f"class-{title}", SCHOOL, YEAR, title) for title in classes]
    for n, family in zip(range(pupils), itertools.cycle(FAMILIES), strict=False):
        pupil = f"pupil-{n:04d}"
        rows["pupils_v1"].append((pupil, SCHOOL, f"{family} {chr(65 + n % 23)}{n}", GIVEN[n % 8], None))
        rows["places_v1"].append((pupil, YEAR, SCHOOL, f"class-{classes[n % 80]}"))
        rows["accounts_v1"].append((f"account-{pupil}", SCHOOL, pupil, "pupil", f"P{n:07d}"))
        for parent in ("m", "f"):
            guardian = f"{pupil}-{parent}"
            rows["guardians_v1"].append((guardian, SCHOOL, family, f"Anna{n}", "it"))
            rows["guardianships_v1"].append((guardian, pupil, SCHOOL, "mother", True))
            code = f"{parent.upper()}{n:07d}"
            rows["accounts_v1"].append((f"account-{guardian}", SCHOOL, guardian, "guardian", code))
    async with pool.acquire() as connection:
        for table, columns in _COLUMNS.items():
            await connection.copy_records_to_table(
                table, schema_name="projections", records=rows[table], columns=columns
            )
