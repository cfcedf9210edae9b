"""The disk under PostgreSQL is full: nothing half done, said in words, and it goes on when there is space again."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.folder import claim_folder
from deploy.settings import Settings
from tests.faults.engines.house import House, admin, house, until
from tests.faults.scenario import Report, scenario

DISK = "400m"
WAL_DISK = "128m"


@scenario("postgres-disk-full")
async def postgres_disk_full(report: Report) -> None:
    """The data folder's disk fills up while families arrive."""
    if not may_mount(report):
        return
    disks = ExitStack()

    async def on_a_small_disk(settings: Settings) -> None:
        disks.enter_context(small_disk(claim_folder(settings) / "postgres", DISK))

    async with house(report, on_a_small_disk, disks) as here:
        await here.families(3)
        disk = Filler(here.postgres.folder)
        for _ in range(3 if report.long else 1):
            async with here.arriving():
                await asyncio.sleep(0.5)
                disk.fill()
                await full(here)
                await asyncio.sleep(15.0 if report.long else 3.0)
                disk.clear()
                await here.green()
        await here.settles()


@scenario("postgres-wal-disk-full")
async def postgres_wal_disk_full(report: Report) -> None:
    """The disk of the write-ahead log fills up: PostgreSQL ends itself, and is started again until it stays."""
    if not may_mount(report):
        return
    disks = ExitStack()
    async with house(report, disks=disks) as here:
        await here.families(3)
        await here.running.stop("postgres")
        log = here.postgres.data / "pg_wal"
        aside = log.rename(log.with_name("pg_wal.aside"))
        disks.enter_context(small_disk(log, WAL_DISK, like=aside))
        shutil.copytree(aside, log, dirs_exist_ok=True)
        for path in log.rglob("*"):
            shutil.chown(path, aside.stat().st_uid, aside.stat().st_gid)
        shutil.rmtree(aside)
        await here.running.start("postgres")
        disk, before = Filler(log), here.postgres.pid
        async with here.arriving():
            await asyncio.sleep(0.5)
            disk.fill()
            await used_up(here)
            await here.red("registry", "the database")
            if not await until(lambda: here.postgres.pid != before, 30.0):
                report.note("PostgreSQL went on in the same process")
            await asyncio.sleep(20.0 if report.long else 3.0)
            disk.clear()
            await here.green(90.0)
        await here.settles()


def may_mount(report: Report) -> bool:
    """Whether a small disk can be made here; the report says why not."""
    try:
        with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder), "1m"):
            return True
    except (OSError, subprocess.CalledProcessError) as refused:
        report.note(f"skipped: a small disk cannot be mounted here ({type(refused).__name__})")
        return False


async def full(here: House) -> None:
    """The first write that needs a new page fails; `/readyz` names the disk."""
    if here.postgres.alive:
        async with admin(here.postgres, "registry") as connection:
            # Pages that are there already take small rows: ask for many at once.
            try:
                await connection.execute(
                    "create table public.filler as select repeat('x', 500) from generate_series(1, 20000)"
                )
            except Exception as refused:
                here.report.note(f"a large write is refused: {type(refused).__name__}")
    await here.red("registry", "disk is full", seconds=60.0)


async def used_up(here: House) -> None:
    """Uses what is left of the log's disk, as a busy hour does."""
    for _ in range(40):
        try:
            async with admin(here.postgres) as connection:
                await connection.execute("select pg_switch_wal(), txid_current()")
        except Exception as ended:
            here.report.note(f"PostgreSQL gave up: {type(ended).__name__}")
            return


class Filler:
    """A file that takes all that is free on a disk."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "filler"

    def fill(self) -> None:
        block = bytes(1 << 16)
        with self._file.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(block)
            except OSError:
                return

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size: str, like: Path | None = None) -> Iterator[None]:
    """`folder` is a disk of its own for the block; it belongs to whom `like` belongs to."""
    folder.mkdir(parents=True, exist_ok=True)
    found = (like or folder).stat()
    options = f"size={size},mode={found.st_mode & 0o777:o},uid={found.st_uid},gid={found.st_gid}"
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def _run(program: str, *arguments: str) -> None:
    subprocess.run([shutil.which(program) or program, *arguments], check=True, capture_output=True)
