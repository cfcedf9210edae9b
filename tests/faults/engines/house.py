"""An installation of its own, with one school whose families keep arriving; and what must be true afterwards."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from deploy.engines import NatsEngine, PostgresEngine, temporary_folder
from deploy.environment import SERVICES
from deploy.inspection import Invariant, Outcome, inspect
from deploy.settings import Settings
from deploy.supervisor import Running
from shared.ids import new_id
from tests.acceptance.installation import Installation, School
from tests.faults.scenario import Report

AGAIN = frozenset((429, 502, 503, 504))
"""What a school's system answers with patience: the same request, with the same idempotency key, once more."""
SETTLED_SECONDS = 180.0
TO_COME_BACK = 60.0


@dataclass
class House:
    """One installation under fire. `accepted`: the address of every mother whose enrolment was answered."""

    running: Running
    installation: Installation
    school: School
    report: Report
    accepted: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def bus(self) -> NatsEngine:
        assert self.running.bus is not None
        return self.running.bus

    @property
    def postgres(self) -> PostgresEngine:
        assert self.running.postgres is not None
        return self.running.postgres

    async def enrol(self) -> None:
        """One family, asked for until it is answered."""
        mother = self.school.guardian()
        enrolment = self.school.enrolment(self.school.pupil(), mother)
        key = new_id()
        while not await self._asked(enrolment, key):
            await asyncio.sleep(0.2)
        self.accepted.append(mother["email"])

    async def _asked(self, enrolment: dict[str, Any], key: str) -> bool:
        try:
            answer = await self.installation.enrol(enrolment, self.school.api_key, key)
        except httpx.HTTPError as trouble:
            self.answers[type(trouble).__name__] += 1
            return False
        self.answers[str(answer.status_code)] += 1
        if answer.status_code not in (200, 201) and answer.status_code not in AGAIN:
            self.report.violation("answers", f"an enrolment was answered with {answer.status_code}")
        return answer.status_code in (200, 201)

    async def families(self, count: int) -> None:
        for _ in range(count):
            await self.enrol()

    @asynccontextmanager
    async def arriving(self, at_once: int = 4, pause: float = 0.2) -> AsyncIterator[None]:
        """Families arrive for as long as the block lasts; those who were asking are answered before it ends."""
        enough = asyncio.Event()

        async def desk() -> None:
            while not enough.is_set():
                await self.enrol()
                await asyncio.sleep(pause)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(desk())
            try:
                yield
            finally:
                enough.set()

    async def reason(self, service: str) -> str:
        """What `/readyz` says; empty when it is green."""
        found = await self.running.readiness(service)
        return "" if found.ready else found.reason or "not ready"

    async def red(self, service: str, says: str, seconds: float = 15.0) -> None:
        """`/readyz` of a service turns red and says why. A violation where it does not."""
        began, reason = time.monotonic(), ""
        while time.monotonic() - began < seconds:
            reason = await self.reason(service)
            if says in reason:
                self.report.note(f"{service} red after {time.monotonic() - began:.1f} s: {says}")
                return
            await asyncio.sleep(0.1)
        self.report.violation(
            "readyz", f"{service} did not say {says!r} within {seconds:.0f} s: {reason[:300]}"
        )

    async def green(self, seconds: float = TO_COME_BACK) -> None:
        """Every service becomes ready by itself, in the process that it was or one that was started again."""
        began = time.monotonic()
        reasons: dict[str, str] = {}
        while time.monotonic() - began < seconds:
            reasons = {s: r for s in SERVICES if (r := await self.reason(s))}
            if not reasons:
                self.report.note(f"all ready {time.monotonic() - began:.1f} s after the fault")
                return
            await asyncio.sleep(0.2)
        self.report.violation("recovery", f"not ready {seconds:.0f} s after the fault: {reasons}")

    async def settles(
        self, seconds: float = SETTLED_SECONDS, leaving_aside: Collection[Invariant] = ()
    ) -> None:
        """All that was accepted comes to its end: enrolled, issued and delivered, each once; then it is inspected."""
        await self.green()
        expected, began = len(self.accepted), time.monotonic()
        counts: Counter[str] = Counter()
        # Asked of the database first: the streams are read whole, and only at the end.
        await until(lambda: self._delivered(expected), seconds, 0.3)
        while time.monotonic() - began < seconds:
            counts = await self.school.counts()
            if counts["EmailAccepted"] >= expected:
                break
            await asyncio.sleep(0.5)
        for name in ("StudentEnrolled", "CredentialsIssued", "EmailAccepted"):
            if counts[name] != expected:
                self.report.violation("settled", f"{counts[name]} times {name} for {expected} families")
        await self._letters()
        for finding in await inspect(self.running.parts.wiring):
            said = f"{finding.service}: {finding.outcome.value} {finding.text}"
            if finding.outcome is Outcome.ok:
                continue
            if finding.invariant in leaving_aside:
                self.report.note(f"{finding.invariant.value} {said}")
            else:
                self.report.violation(finding.invariant.value, said)
        self._unexpected()
        spread = ", ".join(f"{n} times {what}" for what, n in sorted(self.answers.items()))
        self.report.note(f"{expected} families, answers: {spread}")

    def _unexpected(self) -> None:
        """What a service did not foresee; its log names places, never values."""
        for service in SERVICES:
            for line in (self.running.logs / f"{service}.log").read_text(errors="replace").splitlines():
                if "unexpected error" in line:
                    self.report.violation("unexpected", f"{service}: {line[:1500]}")

    async def _delivered(self, expected: int) -> bool:
        async with admin(self.postgres, "notifications") as connection:
            found = await connection.fetchval(
                "select count(*) from events.entries where position(convert_to($1, 'UTF8') in entry) > 0",
                ".EmailAccepted.",
            )
        return bool(found >= expected)

    async def _letters(self) -> None:
        """To each mother one secret; should a mail go twice, then as the same message."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        offset = 0
        while True:
            query = {"limit": 1000, "offset": offset}
            page = await self.installation.http.get(f"{self.running.mailbox_url}/api/messages", params=query)
            listed = page.json()["messages"]
            for one in listed:
                found[one["to"][0]].append((one["message_id"], one["id"]))
            offset += len(listed)
            if not listed:
                break
        for address in self.accepted:
            letters = found.get(address, [])
            if len({message_id for message_id, _ in letters}) != 1:
                self.report.violation("letters", f"{len(letters)} different letters to one mother")
            if len(letters) > 1:
                self.report.note("a letter went twice, as the same message")
                secrets = {letter.password for letter in await self.installation.letters(address)}
                if len(secrets) != 1:
                    self.report.violation("letters", "a letter was repeated with another secret")


@asynccontextmanager
async def house(
    report: Report,
    before: Callable[[Settings], Awaitable[None]] | None = None,
    disks: ExitStack | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Up, with a school that every service knows; gone with all its files afterwards.

    before: called with the settings when the data folder is not there yet. disks: closed between the two.
    """
    with temporary_folder() as folder, disks or ExitStack():
        chosen = Settings(data=Path(folder) / "data", base_port=0, instance="faults", **settings)
        if before is not None:
            await before(chosen)
        limits = httpx.Limits(max_connections=50)
        async with (
            Running(chosen) as running,
            httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as http,
        ):
            installation = Installation(running, http)
            try:
                yield House(running, installation, await installation.school("email"), report)
            finally:
                if report.violations:
                    report.keep_logs(running.logs)


@asynccontextmanager
async def admin(postgres: PostgresEngine, database: str = "postgres") -> AsyncIterator[asyncpg.Connection]:
    """A connection as the superuser."""
    connection = await asyncpg.connect(postgres.admin_url(database))
    try:
        yield connection
    finally:
        await connection.close()


async def until(true: Callable[[], Any], seconds: float = 30.0, pause: float = 0.1) -> bool:
    """Whether it became true in time; it may be a coroutine function."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        answer = true()
        if await answer if asyncio.iscoroutine(answer) else answer:
            return True
        await asyncio.sleep(pause)
    return False
