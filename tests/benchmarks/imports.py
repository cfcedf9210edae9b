"""The dry run of a large import, beside reading its tables with `csv.DictReader` and nothing else."""

import csv
import io
import time
import zipfile
from pathlib import Path

from pydantic import SecretStr

from deploy.demo.paper_school import PROFILE
from deploy.demo.school import generate_school
from deploy.demo.writers import oneroster
from services.registry.intake import Options
from services.registry.operations import HERE, Registry
from services.registry.projections import project
from services.registry.report import Report
from services.registry.settings import RegistrySettings
from shared.contracts.policy import PAPER
from shared.runtime import open_runtime
from shared.settings import CommonSettings
from tests.benchmarks.figure import Bar, Bench, Figure, benchmark
from tests.benchmarks.ground import new_database


@benchmark("imports")
async def imports(bench: Bench) -> list[Figure]:
    pupils = 20_000 if bench.long else 1_000
    file = bench.folder / "registro.zip"
    file.write_bytes(oneroster(generate_school(pupils, profile=PROFILE)))
    kek = bench.folder / "imports.kek"
    kek.write_bytes(bytes(range(32)))
    common = CommonSettings(keyring_kek_file=kek, nats_url="nats://127.0.0.1:1")
    name = await new_database(bench)
    settings = RegistrySettings(
        database_url=SecretStr(bench.postgres.role_url("registry", name)),
        migration_url=SecretStr(bench.postgres.role_url("registry_owner", name)),
        keyring_url=SecretStr(bench.postgres.urls("registry").keyring),
    )
    common = common.model_copy(
        update={"keyring_migration_url": SecretStr(bench.postgres.keyring_migration_url)}
    )
    async with open_runtime(
        "registry", common, settings, project, HERE / "migrations", relaying=False
    ) as runtime:
        registry = Registry(runtime)
        await registry.register_school(PROFILE.codice, PROFILE.name, "benchmark")
        await registry.adopt_policy(PROFILE.codice, PAPER, "benchmark")

        async def dry_run() -> float:
            began = time.perf_counter()
            report = await registry.import_file(file.name, file, Options(actor="benchmark", dry_run=True))
            taken = time.perf_counter() - began
            _all_is_new(report, pupils)
            return taken

        async def bare() -> float:
            began = time.perf_counter()
            assert _rows(file) > 2 * pupils
            return time.perf_counter() - began

        return [
            await bench.compare(
                "import, dry run",
                "s",
                f"{pupils:,} pupils with their guardians, OneRoster ZIP; floor: csv.DictReader over its tables",
                Bar("floor", "most", 6),
                value=dry_run,
                floor=bare,
            )
        ]


def _all_is_new(report: Report, pupils: int) -> None:
    assert (report.counts.enrolments, report.counts.errors) == (pupils, 0), report.counts


def _rows(file: Path) -> int:
    count = 0
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                count += sum(1 for _ in csv.DictReader(io.TextIOWrapper(member, "utf-8", newline="")))
    return count
