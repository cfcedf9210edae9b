"""An installation to be broken: `custode up` as a process of its own, over a folder of its own.

Everything in it can be killed, the supervisor included; it does not outlive whoever made it.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

from deploy.assembly import Assembly
from deploy.engines import temporary_folder
from deploy.engines.process import Process
from deploy.environment import SERVICES, Wiring
from deploy.folder import RunFile, claim_folder, read_run_file
from deploy.settings import Settings, resolve_ports
from deploy.status import PartStatus, look
from shared.faults import Point, wanted_name
from tests.faults.scenario import Report

ROOT = Path(__file__).parents[2]
START_SECONDS = 180.0
STOP_SECONDS = 60.0
_HASHES = ("CUSTODE_IDENTITY_ARGON2_MEMORY", "CUSTODE_IDENTITY_ARGON2_PASSES")
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", *_HASHES)


class NotReady(Exception):
    """A part did not come back in time; the text says which, and why."""


class Ground:
    """One installation. `settings`: further CUSTODE_ variables, for all its processes."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.faults = folder / "faults"
        self.faults.mkdir(mode=0o700)
        ports = resolve_ports(Settings(data=self.data, base_port=0))
        names = {f"{name}_port": number for name, number in vars(ports).items()}
        self.settings = Settings(data=self.data, instance="faults", base_port=0, **names)
        claim_folder(self.settings)
        self.wiring: Wiring = Assembly(self.settings, (), mailbox=False, site=False).wiring
        told = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        told |= {f"CUSTODE_{name.upper()}": str(number) for name, number in names.items()}
        told |= {
            "CUSTODE_DATA": str(self.data),
            "CUSTODE_INSTANCE": "faults",
            "CUSTODE_FAULTS_FOLDER": str(self.faults),
            "CUSTODE_LONGEST_PAUSE": "1",
            "CUSTODE_NOTIFICATIONS_FIRST_RETRY_SECONDS": "0.1",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        self._supervisor = Process(
            name="supervisor",
            argv=[sys.executable, "-m", "deploy.cli", "up"],
            log=folder / "supervisor.log",
            env=told | (settings or {}),
            cwd=folder,
            death_signal=signal.SIGTERM,
        )

    @property
    def site(self) -> str:
        """The site by its address: whoever comes has an address of their own choice on the loopback net."""
        return f"http://127.0.0.1:{self.wiring.ports.site}"

    @property
    def site_for_visitors(self) -> str:
        """The site as people type it."""
        return self.wiring.site_url

    @property
    def host(self) -> str:
        """What a browser would send as Host."""
        return self.wiring.site_url.partition("://")[2]

    @property
    def mailbox(self) -> str:
        return self.wiring.mailbox_url

    def service(self, name: str) -> str:
        """A service's own address, behind the site."""
        return f"http://{self.wiring.ports.listen(name)}"

    def start(self) -> None:
        """Start it, from the main thread; it is not ready yet when this returns."""
        self._supervisor.start()

    def stop(self) -> None:
        """Stop it in good order."""
        self._supervisor.stop(patience=STOP_SECONDS)

    def kill(self, part: str) -> bool:
        """SIGKILL; False when there was nothing to kill at this moment. `supervisor`: the whole with it."""
        if part == "supervisor":
            alive = self._supervisor.alive
            self._supervisor.kill()
            return alive
        pid = self.pid(part)
        if pid is None or not _is_child(pid, self._supervisor.pid):
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def pid(self, part: str) -> int | None:
        found = self._run_file()
        told = found["parts"].get(part) if found is not None else None
        pid: int | None = told["pid"] if told is not None else None
        return pid

    def signal(self, part: str, number: signal.Signals) -> None:
        """Another signal than SIGKILL: SIGSTOP lets a part hang, SIGCONT go on."""
        pid = self.pid(part)
        if pid is not None and _is_child(pid, self._supervisor.pid):
            os.kill(pid, number)

    def memory(self, part: str) -> int:
        """Resident bytes; 0 while it does not run."""
        pid = self.pid(part)
        with suppress(OSError, ValueError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        return 0

    def open_files(self, part: str) -> int:
        with suppress(OSError):
            return len(list(Path(f"/proc/{self.pid(part)}/fd").iterdir()))
        return 0

    @property
    def alive(self) -> bool:
        return self._supervisor.alive

    def said(self) -> str:
        return self._supervisor.said()

    async def ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until every part is ready. Errors: NotReady."""
        deadline = time.monotonic() + seconds
        while True:
            why = await self._why_not_ready()
            if why is None:
                return
            if not self.alive:
                raise NotReady(f"the supervisor ended by itself: {self.said()[-500:]}")
            if time.monotonic() > deadline:
                raise NotReady(f"not ready after {seconds:.0f} seconds: {why}")
            await asyncio.sleep(0.1)

    async def _why_not_ready(self) -> str | None:
        found = self._run_file()
        if found is None or found["state"] != "running":
            return "it is starting"
        parts: list[PartStatus] = await look(found)
        missing = [f"{part.name}: {part.reason}" for part in parts if not part.ready]
        return "; ".join(missing) or None

    def _run_file(self) -> RunFile | None:
        return read_run_file(self.data)

    def want(self, service: str, point: Point) -> Path:
        """The next time `service` comes to `point` it ends there; the file that is there once it has."""
        wanted = self.faults / wanted_name(service, point)
        reached = wanted.with_suffix(".reached")
        reached.unlink(missing_ok=True)
        wanted.touch()
        return reached

    def unwant(self) -> list[str]:
        """Take back what was wanted and never reached; its names."""
        left = list(self.faults.glob("*.wanted"))
        for file in left:
            file.unlink(missing_ok=True)
        return [file.stem for file in left]


def _is_child(pid: int, parent: int | None) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return int(stat.rsplit(")", 1)[1].split()[1]) == parent


@asynccontextmanager
async def ground(report: Report, settings: dict[str, str] | None = None) -> AsyncIterator[Ground]:
    """An installation that is ready; stopped and deleted at the end, its logs kept where something was violated.

    Errors: NotReady.
    """
    with temporary_folder() as folder:
        made = Ground(folder, settings)
        well = False
        try:
            report.phase("start")
            made.start()
            await made.ready()
            report.phase("work")
            yield made
            well = not report.violations
        finally:
            report.phase("stop")
            made.stop()
            report.phase("")
            if not well:
                shutil.copy(folder / "supervisor.log", report.keep_logs(made.data / "logs"))


PARTS = ("postgres", "nats", "caddy", "mailbox", *SERVICES)
"""Every process of an installation but its supervisor."""


class Twin:
    """A second copy of a service over the same database, on a port of its own, started again when it ends."""

    def __init__(self, made: Ground, service: str, port: int) -> None:
        prefix = f"CUSTODE_{service.upper()}_"
        told = made.wiring.service_environment(service)
        told |= {
            f"{prefix}LISTEN": f"127.0.0.1:{port}",
            "CUSTODE_NOTIFICATIONS_FIRST_RETRY_SECONDS": "0.1",
        }
        self.service = service
        self.url = f"http://127.0.0.1:{port}"
        self._process = Process(
            name=f"{service}-twin",
            argv=[sys.executable, "-m", f"services.{service}.app"],
            log=made.data / "logs" / f"{service}-twin.log",
            env=told,
            cwd=made.data,
        )

    def start(self) -> None:
        self._process.start()

    def kill(self) -> bool:
        alive = self._process.alive
        self._process.kill()
        return alive

    def stop(self) -> None:
        self._process.stop()


@contextmanager
def twins(made: Ground, ports: dict[str, int]) -> Iterator[dict[str, Twin]]:
    """One of each service, running; stopped at the end."""
    found = {service: Twin(made, service, port) for service, port in ports.items()}
    with ExitStack() as stack:
        for twin in found.values():
            stack.callback(twin.stop)
            with suppress(OSError):
                twin.start()
        yield found
