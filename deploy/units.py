"""The parts of a running installation, one shape for all: engines and the services' own processes."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from deploy.engines.errors import EngineError
from deploy.engines.process import Process

LOG_LIMIT = 20 * 1024 * 1024  # bytes; a longer one is set aside once, as name.1
READY_TIMEOUT = 5.0


class Runnable(Protocol):
    """What can be started and stopped: an engine, or a process."""

    @property
    def alive(self) -> bool: ...
    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True)
class Readiness:
    """Whether a part does its work, and if not, why (in words, without personal data)."""

    ready: bool
    reason: str = ""


class ServiceProcess:
    """A Python module as a process of its own; `environment` is asked at each start."""

    def __init__(
        self, name: str, module: str, environment: Callable[[], Mapping[str, str]], log: Path, cwd: Path
    ) -> None:
        self.name = name
        self._environment = environment
        self._process = Process(
            name=name,
            argv=[sys.executable, "-m", module],
            log=log,
            env={},
            cwd=cwd,
            death_signal=signal.SIGKILL,
        )

    @property
    def alive(self) -> bool:
        return self._process.alive

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def start(self) -> None:
        """Start it; it is not ready yet when this returns. Errors: EngineError."""
        self._process.env = self._environment()
        self._process.start()

    def stop(self) -> None:
        self._process.stop(patience=15.0)

    def kill(self) -> None:
        self._process.kill()

    def said(self) -> str:
        """The end of its log since it was last started."""
        return self._process.said()


class OneShot(ServiceProcess):
    """A step: a process that does something and ends."""

    async def finished(self, seconds: float) -> None:
        """Wait until it has ended well. Errors: EngineError with what it said last."""
        deadline = time.monotonic() + seconds
        while self.returncode is None:
            if time.monotonic() > deadline:
                raise EngineError(f"{self.name} has not ended after {seconds:.0f} seconds: {self.said()}")
            await asyncio.sleep(0.02)
        if self.returncode != 0:
            raise EngineError(f"{self.name} failed ({self.returncode}): {self.said()}")


@dataclass
class Unit:
    """One part under supervision.

    ready_url: where it says whether it is ready (200 or not), for those that do.
    ports: local ports that must take connections, for those that do not.
    wanted: whether it should run; when it should and does not, it is started again.
    """

    name: str
    runnable: Runnable
    log: Path
    ready_url: str | None = None
    ports: tuple[int, ...] = ()
    wanted: bool = False
    failures: int = field(default=0)
    restarts: int = field(default=0)
    started_at: float = field(default=0.0)
    next_try: float = field(default=0.0)

    def last_words(self) -> str:
        """What it said before it ended, and where the rest is."""
        said = getattr(self.runnable, "said", None)
        text = said() if said is not None else ""
        return f"{text[-800:]}\n(all of it in {self.log})" if text else f"see {self.log}"

    def describe(self) -> dict[str, object]:
        """What the run file says of it."""
        return {
            "pid": self.runnable.pid,
            "wanted": self.wanted,
            "restarts": self.restarts,
            "log": str(self.log),
            "ready_url": self.ready_url,
            "ports": list(self.ports),
        }


class Stubborn:
    """Does what may fail again and again; a failure ends nothing else, and is said when it is new."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._said: dict[str, str] = {}

    async def do(self, name: str, work: Awaitable[None]) -> None:
        """`name`: of the part that it is for."""
        try:
            await work
        except Exception as fault:
            said = str(fault) if isinstance(fault, EngineError) else type(fault).__name__
            if self._said.get(name) != said:
                self._say(name, said)
            self._said[name] = said
        else:
            self._said.pop(name, None)


async def readiness(unit: Unit, client: httpx.AsyncClient) -> Readiness:
    """Ask a part whether it is ready."""
    if not unit.runnable.alive:
        return Readiness(False, "not running")
    return await ask(client, unit.ready_url, unit.ports)


async def ask(client: httpx.AsyncClient, ready_url: str | None, ports: Sequence[int]) -> Readiness:
    """Ask a part that is known by its address only."""
    if ready_url is None:
        closed = [port for port in ports if not _takes_connections(port)]
        return Readiness(not closed, f"port {closed[0]} takes no connections" if closed else "")
    try:
        answer = await client.get(ready_url, timeout=READY_TIMEOUT)
    except httpx.HTTPError:
        return Readiness(False, "does not answer yet")
    if answer.status_code == 200:
        return Readiness(True)
    return Readiness(False, f"{answer.status_code}: {answer.text.strip()[:500]}")


def _takes_connections(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def set_long_logs_aside(folder: Path) -> None:
    """Keep logs from filling the disk: one older part of each, LOG_LIMIT bytes at most.

    They are open for appending, so they are copied and cut, not renamed.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > LOG_LIMIT:
            older = log.with_suffix(".log.1")
            older.touch(mode=0o600)
            older.write_bytes(log.read_bytes())
            with log.open("r+b") as stream:
                stream.truncate(0)
