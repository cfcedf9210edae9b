"""Imports by the desk: the file is looked at first, kept sealed for an hour, and carried out at one press of a button.

What is carried out are the very bytes that the preview was made of. Said twice, it is done once; broken off, it can be
said again, for what went in already brings about nothing.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import IO, BinaryIO, Final, cast

import asyncpg
import structlog

from services.registry.intake import Options
from services.registry.operations import Registry
from services.registry.report import Report
from services.registry.uploads import Uploads
from shared.database import Pool
from shared.ids import new_id
from shared.sql import Statements
from shared.text import Unusable, tidy

log = structlog.get_logger()
SQL = Statements(__file__)
PIECE: Final = 1024 * 1024
LIFE: Final = timedelta(hours=1)
"""How long a file waits for the button."""
REPORT_LIFE: Final = timedelta(days=7)
SILENT: Final = timedelta(seconds=60)
"""After so long without a sign of life, whoever carried it out is gone."""
_SWEEP_SECONDS: Final = 300.0
_HEARTBEAT_SECONDS: Final = 1.0
_IN_MEMORY: Final = 8 * PIECE
_LONGEST_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class Import:
    """`state`: ready, running, done, failed; or interrupted: its process is gone. `at_hand`: the file is still here.
    `report`: of the dry run until it is done."""

    id: str
    file: str
    state: str
    done: int
    total: int
    report: Report
    received_at: datetime
    expires: datetime
    at_hand: bool


class DeskImports:
    """`uploads`: the places of this process; each import takes one while it runs."""

    def __init__(self, registry: Registry, uploads: Uploads) -> None:
        self._registry = registry
        self._uploads = uploads
        self._running: dict[str, asyncio.Task[None]] = {}

    async def look(self, name: str, content: BinaryIO, school: str, account: str) -> Import | Report:
        """Find out what the file would do, and keep it. A file that cannot be read is its report, and not kept."""
        called = _called(name)
        size, digest = await asyncio.to_thread(_measured, content)
        options = Options(actor=account, only_school=school, dry_run=True)
        report = await self._registry.import_file(called, content, options)
        if report.unreadable:
            return report
        now = self._now()
        upload = new_id()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL("forget_uploads"), school, account)
            await connection.execute(
                SQL("put_upload"),
                upload,
                school,
                account,
                called,
                size,
                digest,
                report.counts.enrolments,
                report.model_dump_json(),
                now,
                now + LIFE,
            )
            content.seek(0)
            number = 0
            while piece := await asyncio.to_thread(content.read, PIECE):
                sealed = await asyncio.to_thread(
                    self._registry.runtime.kek.wrap, piece, _bound(upload, number)
                )
                await connection.execute(SQL("put_upload_piece"), upload, number, sealed)
                number += 1
        found = await self.find(upload, school, account)
        assert found is not None
        return found

    async def find(self, upload: str, school: str, account: str) -> Import | None:
        """None for what does not exist, is over, or is another's."""
        row = await self._pool.fetchrow(SQL("upload"), upload, school, account, self._now())
        return None if row is None else self._import(row)

    async def latest(self, school: str, account: str) -> list[Import]:
        """What this person has carried out, the latest first."""
        rows = await self._pool.fetch(SQL("uploads_of"), school, account, self._now())
        return [self._import(row) for row in rows]

    async def start(self, upload: str, school: str, account: str) -> bool:
        """Carry it out beside the request; False when it runs, or has run, already. `Problem` 503: no place free."""
        now = self._now()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._uploads.place())
            row = await self._pool.fetchrow(SQL("claim_upload"), upload, school, account, now, now - SILENT)
            if row is None:
                return False
            job = _Job(upload, school, account, row["file"], row["sha256"])
            task = asyncio.create_task(self._carry_out(job, stack.pop_all()))
        self._running[upload] = task
        task.add_done_callback(lambda _: self._running.pop(upload, None))
        return True

    async def settled(self, upload: str, seconds: float) -> None:
        """Wait for it a moment: most files are done at once."""
        task = self._running.get(upload)
        if task is not None:
            await asyncio.wait([task], timeout=seconds)

    async def forget(self, upload: str, school: str, account: str) -> None:
        await self._pool.execute(SQL("forget_upload"), upload, school, account)

    async def _carry_out(self, job: "_Job", place: AsyncExitStack) -> None:
        progress = _Progress()
        beating = asyncio.create_task(self._heartbeat(job.upload, progress))
        try:
            async with place:
                with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as content:
                    await self._unsealed(job, content)
                    options = Options(actor=job.account, only_school=job.school, progress=progress.tell)
                    report = await self._registry.import_file(job.file, cast(BinaryIO, content), options)
            await self._end(job.upload, "done", report, REPORT_LIFE)
        except Exception as fault:
            log.error("import.failed", upload=job.upload, error=type(fault).__name__)
            with suppress(Exception):  # else its silence will tell
                await self._end(job.upload, "failed", None, LIFE)
        finally:
            beating.cancel()

    async def _unsealed(self, job: "_Job", content: IO[bytes]) -> None:
        """The very bytes that were looked at, or an error."""
        digest, number = hashlib.sha256(), 0
        while (sealed := await self._pool.fetchval(SQL("upload_piece"), job.upload, number)) is not None:
            bound = _bound(job.upload, number)
            piece = await asyncio.to_thread(self._registry.runtime.kek.unwrap, sealed, bound)
            digest.update(piece)
            await asyncio.to_thread(content.write, piece)
            number += 1
        if digest.digest() != job.sha256:
            raise ValueError("the file is not the one that was looked at")
        content.seek(0)

    async def _heartbeat(self, upload: str, progress: "_Progress") -> None:
        while True:
            now = self._now()
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await self._pool.execute(
                    SQL("touch_upload"), upload, progress.done, progress.total, now, now + LIFE
                )
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _end(self, upload: str, state: str, report: Report | None, life: timedelta) -> None:
        now = self._now()
        told = None if report is None else report.model_dump_json()
        await self._pool.execute(SQL("end_upload"), upload, state, told, now, now + life)

    def _import(self, row: asyncpg.Record) -> Import:
        state = row["state"]
        if state == "running" and row["touched_at"] < self._now() - SILENT:
            state = "interrupted"
        return Import(
            id=row["id"],
            file=row["file"],
            state=state,
            done=row["done"],
            total=row["total"],
            report=Report.model_validate_json(row["report"]),
            received_at=row["received_at"],
            expires=row["expires"],
            at_hand=row["at_hand"],
        )

    @property
    def _pool(self) -> Pool:
        return self._registry.runtime.pool

    def _now(self) -> datetime:
        return self._registry.store.clock()


@dataclass(frozen=True, slots=True)
class _Job:
    upload: str
    school: str
    account: str
    file: str
    sha256: bytes


@dataclass(slots=True)
class _Progress:
    done: int = 0
    total: int = 0

    def tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total


async def sweep(pool: Pool, clock: Callable[[], datetime]) -> None:
    """For `runtime.background`: files and reports whose time is over."""
    while True:
        await pool.execute(SQL("sweep_uploads"), clock())
        await asyncio.sleep(_SWEEP_SECONDS)


def _measured(content: BinaryIO) -> tuple[int, bytes]:
    content.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := content.read(PIECE):
        digest.update(piece)
        size += len(piece)
    content.seek(0)
    return size, digest.digest()


def _bound(upload: str, number: int) -> bytes:
    """So that no piece can stand in for another, or for another file's."""
    return f"upload/{upload}/{number}".encode()


def _called(name: str) -> str:
    try:
        tidied, _ = tidy(PurePath(name.replace("\\", "/")).name)
    except Unusable:
        return "file"
    return tidied[-_LONGEST_NAME:] or "file"
