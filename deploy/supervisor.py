"""An installation while it runs: starts its parts in order, keeps them running, stops them in reverse."""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from deploy.assembly import Assembly
from deploy.engines import EngineError, NatsEngine, PostgresEngine, ServiceUrls
from deploy.environment import SERVICES
from deploy.folder import RUN_FILE, Lock, claim_folder, write_run_file
from deploy.settings import MAIL_IN_THE_CLEAR, Ports, Settings
from deploy.units import Readiness, Stubborn, Unit, readiness, set_long_logs_aside

WATCH_SECONDS = 0.25
READY_SECONDS = 90.0
MIGRATION_SECONDS = 600.0
HEALTHY_SECONDS = 10.0  # who lived that long did not fail at its start
ENGINES = ("postgres", "nats", "caddy")

Progress = Callable[[str, str], None]


def _say_nothing(_: str, __: str) -> None:
    """The progress of who does not want to hear of it."""


class Running:
    """`async with Running(settings) as running:` keeps an installation up for as long as the block lasts.

    services: which of SERVICES to start. mailbox: the embedded one (by default in development, when no SMTP
    server is given). site: whether Caddy runs in front. progress: called with a part's name and a short line.
    Errors: EngineError when a part cannot be started or does not become ready; everything is stopped first.
    """

    def __init__(
        self,
        settings: Settings,
        services: Iterable[str] = SERVICES,
        *,
        mailbox: bool | None = None,
        site: bool = True,
        progress: Progress = _say_nothing,
    ) -> None:
        self.settings = settings
        self._services = tuple(services)
        self._mailbox = settings.smtp_url is None if mailbox is None else mailbox
        self._site = site
        self._say = progress
        self._lock: Lock | None = None
        self._units: dict[str, Unit] = {}
        self._assembly: Assembly | None = None
        self._watch: asyncio.Task[None] | None = None
        self._changed = asyncio.Lock()
        self._bus_lacks_streams = False
        self._run_file_is_old = False
        self._stubborn = Stubborn(progress)
        # Linux ends a child with the thread that started it: one thread, as long-lived as we are.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
        self._client = httpx.AsyncClient(trust_env=False)

    async def __aenter__(self) -> Self:
        try:
            await self._bring_up()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def parts(self) -> Assembly:
        """The installation's parts. Errors: EngineError before it is up."""
        if self._assembly is None:
            raise EngineError("it is not running")
        return self._assembly

    @property
    def ports(self) -> Ports:
        return self.parts.wiring.ports

    @property
    def site_url(self) -> str:
        """The site's origin, as people type it."""
        return self.parts.wiring.site_url

    @property
    def mailbox_url(self) -> str:
        """The embedded mailbox in a browser."""
        return self.parts.wiring.mailbox_url

    @property
    def nats_url(self) -> str:
        return self.parts.wiring.nats_url

    @property
    def postgres(self) -> PostgresEngine | None:
        """The embedded PostgreSQL, if it is one."""
        return self.parts.wiring.postgres

    @property
    def bus(self) -> NatsEngine | None:
        """The embedded NATS, if it is one."""
        return self.parts.wiring.bus

    @property
    def logs(self) -> Path:
        return self.parts.logs

    def service_url(self, service: str) -> str:
        """A service's own HTTP address, behind the site."""
        return f"http://{self.ports.listen(service)}"

    def service_environment(self, service: str) -> dict[str, str]:
        """What a service is told; for a command that acts as it. Holds passwords."""
        return self.parts.wiring.service_environment(service)

    def urls(self, service: str) -> ServiceUrls:
        """The database URLs of a service and of its owner. They hold passwords."""
        return self.parts.wiring.urls(service)

    def pid(self, name: str) -> int | None:
        return self._unit(name).runnable.pid

    async def start(self, name: str, *, wait: bool = True, seconds: float = READY_SECONDS) -> None:
        """Start a part (`postgres`, `nats`, `caddy`, `mailbox` or a service) and wait until it is ready.

        Errors: EngineError.
        """
        unit = self._unit(name)
        async with self._changed:
            unit.failures = 0
            await self._start(unit)
            self._write_run_file("running")
        if wait:
            await self.wait_ready(name, seconds=seconds)

    async def stop(self, name: str) -> None:
        """Stop a part in good order; it stays down until it is started."""
        unit = self._unit(name)
        async with self._changed:
            unit.wanted = False
            await asyncio.to_thread(unit.runnable.stop)
        self._write_run_file("running")

    async def kill(self, name: str) -> None:
        """Let a part crash (SIGKILL). It is started again as after any crash."""
        unit = self._unit(name)
        unit.failures = 0
        await asyncio.to_thread(unit.runnable.kill)

    async def readiness(self, name: str) -> Readiness:
        return await readiness(self._unit(name), self._client)

    async def wait_ready(self, *names: str, seconds: float = READY_SECONDS) -> None:
        """Wait until the named parts (all, if none is named) are ready.

        Errors: EngineError that says which is not, and why.
        """
        chosen = [self._unit(name) for name in names] or [
            unit for unit in self._units.values() if unit.wanted
        ]
        await asyncio.gather(*(self._wait_for(unit, seconds) for unit in chosen))

    async def close(self) -> None:
        """Stop everything, in reverse order. Harmless when it is stopped already."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        for unit in self._units.values():
            unit.wanted = False
        # A start that is under way cannot be broken off: let it end, so that what it started is stopped too.
        await asyncio.get_running_loop().run_in_executor(self._thread, int)
        if self._assembly is not None:
            await asyncio.to_thread(self._assembly.migrations.stop)
        for unit in reversed(self._units.values()):
            if unit.runnable.alive:
                self._say(unit.name, "stopping")
            await asyncio.to_thread(unit.runnable.stop)
        await self._client.aclose()
        self._thread.shutdown()
        if self._lock is not None:
            (self.settings.data / RUN_FILE).unlink(missing_ok=True)
            self._lock.release()
            self._lock = None

    def _unit(self, name: str) -> Unit:
        try:
            return self._units[name]
        except KeyError:
            known = ", ".join(self._units) or "nothing"
            raise EngineError(f"there is no part {name!r} here: {known} runs embedded") from None

    async def _bring_up(self) -> None:
        if self._services:
            self.settings.check_user()
        folder = claim_folder(self.settings)
        lock = Lock(folder)
        lock.take()
        self._lock = lock
        self._assembly = Assembly(self.settings, self._services, mailbox=self._mailbox, site=self._site)
        self._units = self._assembly.units
        set_long_logs_aside(self._assembly.logs)
        if self.settings.mail_in_the_clear:
            self._say("notifications", f"warning: {MAIL_IN_THE_CLEAR}")
        self._write_run_file("starting")
        # The others first: a service that finds its database and its bus does not have to wait for them.
        if self.postgres is None:
            await self._begin_migrations()
        for unit in self._units.values():
            if unit.name == next(iter(self._services), None):
                await self._migrated()
            await self._start(unit)
            if unit.name == "postgres":
                await self._begin_migrations()
        self._watch = asyncio.create_task(self._keep_running())
        await self.wait_ready()
        self._write_run_file("running")

    async def _begin_migrations(self) -> None:
        if self._services:
            step = self.parts.migrations
            await asyncio.get_running_loop().run_in_executor(self._thread, step.start)

    async def _migrated(self) -> None:
        began = time.monotonic()
        await self.parts.migrations.finished(MIGRATION_SECONDS)
        self._say("migrate", f"done in {time.monotonic() - began:.1f} s")

    async def _start(self, unit: Unit) -> None:
        began = time.monotonic()
        unit.wanted = True
        unit.started_at = began
        self._say(unit.name, "starting")
        await asyncio.get_running_loop().run_in_executor(self._thread, unit.runnable.start)
        if unit.name == "nats":
            await self._provide_streams()
        if unit.name in ENGINES:
            self._say(unit.name, f"ready in {time.monotonic() - began:.1f} s")

    async def _provide_streams(self) -> None:
        """At every start: one whose files were lost comes back without streams, and the stores refill them."""
        self._bus_lacks_streams = True
        if self.bus is not None:
            await self.bus.provision()
        self._bus_lacks_streams = False

    async def _wait_for(self, unit: Unit, seconds: float) -> None:
        began = time.monotonic()
        found = await readiness(unit, self._client)
        while not found.ready:
            if time.monotonic() - began > seconds:
                raise EngineError(
                    f"{unit.name} is not ready after {seconds:.0f} seconds ({found.reason}): see {unit.log}"
                )
            if unit.failures >= 3:
                raise EngineError(f"{unit.name} ends at every start: {unit.last_words()}")
            await asyncio.sleep(0.1)
            found = await readiness(unit, self._client)
        if unit.name not in ENGINES:
            self._say(unit.name, f"ready in {time.monotonic() - unit.started_at:.1f} s")

    async def _keep_running(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            rounds += 1
            for unit in self._units.values():
                await self._stubborn.do(unit.name, self._mend(unit))
            if self._run_file_is_old:
                await self._stubborn.do("supervisor", self._tell())
            if rounds % 240 == 0:
                await self._stubborn.do("supervisor", asyncio.to_thread(set_long_logs_aside, self.parts.logs))

    async def _tell(self) -> None:
        self._write_run_file("running")
        self._run_file_is_old = False

    async def _mend(self, unit: Unit) -> None:
        now = time.monotonic()
        if not unit.wanted:
            return
        if unit.runnable.alive:
            if unit.name == "nats" and self._bus_lacks_streams:
                await self._provide_streams()
            return
        if unit.next_try <= unit.started_at:  # it has just ended: pause before the next try
            unit.failures = unit.failures + 1 if now - unit.started_at < HEALTHY_SECONDS else 1
            pause = min(self.settings.longest_pause, 0.25 * 2 ** (unit.failures - 1))
            unit.next_try = now + pause
            self._say(unit.name, f"ended by itself; again in {pause:.1f} s (log: {unit.log})")
        if now < unit.next_try:
            return
        async with self._changed:
            if not unit.wanted or unit.runnable.alive:
                return
            unit.restarts += 1
            self._run_file_is_old = True
            await self._start(unit)

    def _write_run_file(self, state: str) -> None:
        write_run_file(self.settings.data, self.parts.describe(state))
