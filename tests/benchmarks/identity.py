"""Issuing in bulk and signing in, beside bare Argon2id with the same parameters on all cores."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import asyncpg
import orjson
from argon2 import PasswordHasher, Type

from deploy.attach import told_as
from deploy.demo.backstage import passphrase, registry_of
from deploy.demo.paper_school import PROFILE
from deploy.demo.school import generate_school
from deploy.demo.writers import oneroster
from deploy.settings import Settings
from deploy.supervisor import Running
from services.identity.app import MIGRATIONS
from services.identity.operations import NewStaffMember, add_staff, wait_for_school
from services.identity.passwords import Cost, Hasher, Peppers
from services.identity.projections import project as project_identity
from services.identity.settings import IdentitySettings
from services.registry.intake import Options
from shared.contracts.identity import StaffRole
from shared.contracts.policy import PAPER
from shared.runtime import open_runtime
from shared.settings import CommonSettings
from tests.benchmarks.figure import Bar, Bench, Figure, benchmark
from tests.benchmarks.sign_in_load import sign_ins

SCHOOL = "RMPS{:04}01"
_COST = Cost()
CORES = len(os.sched_getaffinity(0))
AT_ONCE = 8


@benchmark("issuing")
async def issuing(bench: Bench) -> list[Figure]:
    """Notifications has published its key and is down; each round enrols a school that nobody knew."""
    pupils = 200 if bench.long else 20
    numbers = iter(range(1, 100))
    async with _installation(bench, "issuing") as running:
        store = await asyncpg.connect(running.urls("identity").runtime)
        await _until_known(store, "select exists (select from projections.sealing_keys_v1)")
        await running.stop("notifications")

        async def issued() -> float:
            school = SCHOOL.format(next(numbers))
            expected = await _enrol(running, school, pupils)
            done = "select count(*) from events.entries where school = $1 and entry like $2"
            while await store.fetchval(done, school, b"%.CredentialsIssued.%") < expected:
                await asyncio.sleep(0.25)
            began, ended = await _from_to(running, school)
            return expected / (ended - began).total_seconds()

        figure = await bench.compare(
            "bulk issuing",
            "credentials/s",
            f"{pupils} pupils with their guardians, from the first enrolled to the last CredentialsIssued",
            Bar("floor", "least", 0.9),
            value=issued,
            floor=_bare(lambda hasher: hasher.hash("bcdfghjkmnpqrstv"), 4 if bench.long else 1),
        )
        await store.close()
        return [figure]


@benchmark("sign-in")
async def sign_in(bench: Bench) -> list[Figure]:
    """Sign-ins of many accounts from many addresses, straight at the service."""
    seconds = 6.0 if bench.long else 1.0
    async with _installation(bench, "sign-in", services=("registry", "identity")) as running:
        accounts = await _staff(running, SCHOOL.format(0), 40 if bench.long else 4)
        host, port = "127.0.0.1", running.ports.identity

        async def signed_in() -> float:
            return await sign_ins(host, port, running.site_url, accounts, seconds, at_once=AT_ONCE)

        known = PasswordHasher(_COST.passes, _COST.memory, _COST.lanes, type=Type.ID).hash("bcdfghjkmnpqrstv")
        return [
            await bench.compare(
                "sign-in",
                "requests/s",
                f"{AT_ONCE} at once, {len(accounts)} accounts, {len(accounts)} addresses",
                Bar("floor", "least", 0.9),
                value=signed_in,
                floor=_bare(lambda hasher: hasher.verify(known, "bcdfghjkmnpqrstv"), seconds),
            )
        ]


@asynccontextmanager
async def _installation(
    bench: Bench, name: str, services: tuple[str, ...] = ("registry", "identity", "notifications")
) -> AsyncIterator[Running]:
    settings = Settings(data=bench.folder / name, base_port=0, instance="bench")
    async with Running(settings, services=services, site=False) as running:
        yield running


async def _until_known(store: asyncpg.Connection, question: str) -> None:
    async with asyncio.timeout(30):
        while not await store.fetchval(question):
            await asyncio.sleep(0.1)


async def _enrol(running: Running, school: str, pupils: int) -> int:
    """Registers a school and imports its pupils; how many credentials must follow."""
    file = oneroster(generate_school(pupils, profile=replace(PROFILE, codice=school)))
    async with registry_of(running.parts.wiring) as registry:
        await registry.register_school(school, "Istituto di prova", school.lower())
        await registry.adopt_policy(school, PAPER, "benchmark")
        report = await registry.import_file("registro.zip", file, Options(actor="benchmark"))
    assert not report.counts.errors, report.problems[:3]
    return report.counts.new_pupils + report.counts.new_guardians


async def _from_to(running: Running, school: str) -> tuple[datetime, datetime]:
    """When the first pupil was enrolled, and when the last credentials were issued."""
    found = []
    for service, name, order in (
        ("registry", b"%.StudentEnrolled.%", "asc"),
        ("identity", b"%.CredentialsIssued.%", "desc"),
    ):
        store = await asyncpg.connect(running.urls(service).runtime)
        entry = await store.fetchval(
            f"select entry from events.entries where school = $1 and entry like $2 "  # noqa: S608
            f"order by position {order} limit 1",
            school,
            name,
        )
        await store.close()
        found.append(datetime.fromisoformat(orjson.loads(entry)["time"]))
    return found[0], found[1]


async def _staff(running: Running, school: str, count: int) -> list[tuple[str, str]]:
    """(user code, password) of so many members of staff."""
    async with registry_of(running.parts.wiring) as registry:
        await registry.register_school(school, "Istituto di prova", "prova")
    with told_as("identity", running.parts.wiring):
        common, settings = CommonSettings(), IdentitySettings()
    hasher = Hasher(Peppers.from_files(settings.pepper_file), settings.cost)
    found = []
    async with open_runtime(
        "identity", common, settings, project_identity, MIGRATIONS, relaying=False
    ) as runtime:
        await wait_for_school(runtime.pool, school)
        for number in range(count):
            password = passphrase()
            member = NewStaffMember(
                school, (StaffRole.secretary,), "Sara", f"Segreti{number}", password, final=True
            )
            found.append((await add_staff(runtime.commands, hasher, member, actor="benchmark"), password))
    hasher.close()
    return found


def _bare(work: Callable[[PasswordHasher], object], seconds: float) -> Callable[[], "asyncio.Future[float]"]:
    """So many a second, by as many threads as there are cores, with nothing else to do."""
    hasher = PasswordHasher(_COST.passes, _COST.memory, _COST.lanes, type=Type.ID)

    def on_one_core(until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            work(hasher)
            count += 1
        return count

    def on_all() -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(CORES) as threads:
            done = sum(threads.map(on_one_core, [began + seconds] * CORES))
        return done / (time.perf_counter() - began)

    return lambda: asyncio.ensure_future(asyncio.to_thread(on_all))
