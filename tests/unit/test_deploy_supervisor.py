"""The supervisor's watch: whatever fails for one part, it goes on looking after all of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy import supervisor
from deploy.engines import EngineError
from deploy.settings import Settings
from deploy.supervisor import Running
from deploy.units import Unit


class Part:
    """Starts, fails as it is told to, and ends when it is told to."""

    def __init__(self, *faults: Exception) -> None:
        self.alive = False
        self.pid: int | None = None
        self.starts = 0
        self._faults = list(faults)

    def start(self) -> None:
        self.starts += 1
        if self._faults:
            raise self._faults.pop(0)
        self.alive = True

    def stop(self) -> None:
        self.alive = False

    kill = stop


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(supervisor, "WATCH_SECONDS", 0.01)
    made = Running(Settings(data=tmp_path, longest_pause=0.01), ())
    yield made
    await made.close()


async def watched(running: Running, monkeypatch: pytest.MonkeyPatch, **parts: Part) -> list[str]:
    """Watch over parts that have ended; what was written of them meanwhile."""
    written: list[str] = []
    full = [OSError(28, "No space left on device")]

    def write(state: str) -> None:
        if full:
            raise full.pop()
        written.append(state)

    monkeypatch.setattr(running, "_write_run_file", write)
    units = {name: Unit(name, part, Path("x.log"), wanted=True) for name, part in parts.items()}
    monkeypatch.setattr(running, "_units", units)
    watch = asyncio.create_task(running._keep_running())
    try:
        async with asyncio.timeout(5):
            while not all(part.alive for part in parts.values()) or not written:
                await asyncio.sleep(0.01)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    return written


async def test_a_full_disk_or_any_other_fault_does_not_end_the_watch(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Part(OSError(28, "No space left"), EngineError("not now")), Part(ValueError("unforeseen"))
    written = await watched(running, monkeypatch, one=one, other=other)
    assert (one.starts, other.starts) == (3, 2)
    assert set(written) == {"running"}, "what could not be written is written as soon as it can be"
