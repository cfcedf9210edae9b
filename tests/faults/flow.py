"""A school at work: enrolled by three ways, issued, delivered, and its families' first sign-in, whatever breaks.

Everybody in it behaves as the manuals say: what was not answered is asked again, with the same key or id.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import nats
import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from deploy.demo.backstage import open_staff_account, registry_of
from deploy.demo.memory import Key
from shared.contracts.identity import StaffRole
from shared.contracts.policy import PRESETS
from shared.ids import new_id
from tests.faults.book import Book, Mails
from tests.faults.desk import print_slips
from tests.faults.ground import Ground
from tests.faults.outside import Outside
from tests.faults.patience import PAUSE, GaveUp, Patient, until
from tests.faults.people import SOURCE, Pupil, SchoolUnderFire, Way
from tests.faults.scenario import Report

CHUNK = 8
FAMILIES_AT_ONCE = 8
QUIET_SECONDS = 300.0
"""As long as something goes on this may last; nothing at all for so long is a violation."""


class Flow:
    """`more` lets pupils in, one by one or all at once; `urls`: by which doors, the site if none is named."""

    def __init__(
        self, ground: Ground, outside: Outside, schools: list[SchoolUnderFire], report: Report
    ) -> None:
        self.ground = ground
        self.outside = outside
        self.schools = schools
        self.report = report
        self.book = Book()
        self.mails = Mails(ground.wiring.mailbox_folder)
        self.answers: Counter[str] = Counter()
        self.urls: dict[str, tuple[str, ...]] = {}
        self.secretaries: dict[str, Key] = {}
        self.hesitation = 0.0
        """Seconds from the mail's arrival, or the slip's, to the first sign-in."""
        self._gate = asyncio.Semaphore(0)
        self._families = asyncio.Semaphore(FAMILIES_AT_ONCE)
        self._numbers = 0
        self.let_in = 0

    async def prepare(self) -> None:
        """Before the fire: schools, their systems' keys, their secretaries."""
        self.report.phase("prepare")
        wiring = self.ground.wiring
        assert wiring.bus is not None
        async with registry_of(wiring) as registry:
            for n, school in enumerate(self.schools, 1):
                await registry.register_school(school.code, f"Istituto {n}", f"scuola-{n}")
                await registry.adopt_policy(school.code, PRESETS[school.policy], "fault test")
                school.api_key = (await registry.add_api_key(school.code, "prova")).secret
        for school in self.schools:
            school.seed_file = str(await wiring.bus.add_school(school.code))
            if school.policy == "paper":
                await self._open_secretary(school.code)
        self.report.phase("work")

    async def _open_secretary(self, school: str) -> None:
        async def opened() -> bool:
            try:
                code, password = await open_staff_account(
                    self.ground.wiring, school, StaffRole.secretary, "Sara", "Segreti"
                )
            except Exception as refused:
                if getattr(refused, "reason", "") != "unknown_school":
                    raise
                return False
            self.secretaries[school] = Key(code, password)
            return True

        await until(opened, "identity knowing the school", 60)

    def more(self, pupils: int = 1) -> None:
        """Let so many more pupils in."""
        self.let_in += pupils
        for _ in range(pupils):
            self._gate.release()

    def all_of_them(self) -> None:
        self.more(sum(len(school.pupils) for school in self.schools))

    async def run(self) -> None:
        """To the end: everybody is enrolled, has what they are entitled to, and has a password of their own.

        Errors: GaveUp, as a group.
        """
        async with asyncio.TaskGroup() as group:
            entering = [group.create_task(self._enter(school, group)) for school in self.schools]
            mail = group.create_task(self._read_mails(group))
            desks = [
                group.create_task(print_slips(self, school, group))
                for school in self.schools
                if school.policy == "paper"
            ]
            await self._lasts(lambda: all(task.done() for task in entering), group)
            await self._lasts(self._everybody_has_a_password, group)
            for task in (mail, *desks):
                task.cancel()

    async def _lasts(self, done: Callable[[], bool], group: asyncio.TaskGroup) -> None:
        quiet, before = 0.0, (-1, -1)
        while not done():
            await asyncio.sleep(0.2)
            now = (len(self.book.enrolled), len(self.book.chosen))
            quiet, before = (quiet + 0.2 if now == before else 0.0), now
            if quiet > QUIET_SECONDS:
                raise GaveUp(f"nothing goes on: {now[0]} enrolled, {now[1]} with a password of their own")

    def _everybody_has_a_password(self) -> bool:
        return len(self.book.chosen) >= sum(reached(school) for school in self.schools)

    async def _enter(self, school: SchoolUnderFire, group: asyncio.TaskGroup) -> None:
        waiting: list[Pupil] = []
        tasks = []
        async with self.registry() as http, SchoolOnTheBus(self.ground.wiring.nats_url, school) as bus:
            for pupil in school.pupils:
                await self._gate.acquire()
                match pupil.way:
                    case Way.http:
                        tasks.append(group.create_task(self._by_http(http, school, pupil)))
                    case Way.bus:
                        tasks.append(group.create_task(self._by_bus(bus, school, pupil)))
                    case Way.file:
                        waiting.append(pupil)
                if len(waiting) == CHUNK or (pupil is school.pupils[-1] and waiting):
                    tasks.append(group.create_task(self._by_file(http, school, waiting)))
                    waiting = []
            await asyncio.gather(*tasks)

    async def _by_http(self, http: Patient, school: SchoolUnderFire, pupil: Pupil) -> None:
        headers = {"Authorization": f"Bearer {school.api_key}", "Idempotency-Key": new_id()}
        answer = await http.ask(
            "POST", "/api/registry/enrolments", headers=headers, json=school.enrolment(pupil)
        )
        self._acknowledged(answer, (200, 201), [pupil])

    async def _by_file(self, http: Patient, school: SchoolUnderFire, pupils: list[Pupil]) -> None:
        answer = await http.ask(
            "POST",
            "/api/registry/imports",
            headers={"Authorization": f"Bearer {school.api_key}"},
            files={"file": ("elenco.csv", school.file(pupils))},
            params={"source": SOURCE},
        )
        if answer.status_code == 200 and answer.json()["counts"]["errors"]:
            self.report.violation("import", "a right file was said to have errors")
        self._acknowledged(answer, (200,), pupils)

    def _acknowledged(self, answer: httpx.Response, good: tuple[int, ...], pupils: list[Pupil]) -> None:
        if answer.status_code in good:
            self.book.enrolled |= {pupil.id for pupil in pupils}
        else:
            kind = answer.json().get("type", "")
            self.report.violation("enrolment", f"{answer.status_code} {kind} for a right enrolment")

    async def _by_bus(self, bus: "SchoolOnTheBus", school: SchoolUnderFire, pupil: Pupil) -> None:
        message = {"id": new_id(), "source": SOURCE, "command": "Enrol", "data": school.enrolment(pupil)}
        await bus.hand_in(orjson.dumps(message))
        self.book.enrolled.add(pupil.id)

    async def _read_mails(self, group: asyncio.TaskGroup) -> None:
        while True:
            for letter in self.mails.new():
                if letter.code and letter.code not in self.book.initial:
                    self.received(group, letter.code, letter.password)
            await asyncio.sleep(0.3)

    def registry(self) -> Patient:
        return self._client("registry", None)

    def family(self) -> Patient:
        """A client of one family: every family has an address of its own."""
        self._numbers += 1
        return self._client("identity", f"127.{1 + self._numbers // 250 % 250}.1.{1 + self._numbers % 250}")

    def _client(self, service: str, address: str | None) -> Patient:
        if service in self.urls:
            return Patient(*self.urls[service], address=address, answers=self.answers)
        return Patient(self.ground.site, host=self.ground.host, address=address, answers=self.answers)

    def received(self, group: asyncio.TaskGroup, code: str, initial: str) -> None:
        """A family got this; written down at once, for a repeat of the mail may be in the very same look."""
        self.book.initial[code] = initial
        group.create_task(self._first_sign_in(code, initial))

    async def _first_sign_in(self, code: str, initial: str) -> None:
        """Sign in with what was handed out, and set a password of one's own."""
        await asyncio.sleep(self.hesitation)
        async with self._families, self.family() as http:
            if not await signs_in(http, code, initial):
                self.report.violation("sign-in", "the initial password was refused at the first sign-in")
                return
            chosen = f"prova di una famiglia {new_id()[-12:]}"
            body = {"user_code": code, "old": initial, "new": chosen}
            answer = await http.ask("POST", "/api/identity/password", json=body)
            if answer.status_code == 401 and not await signs_in(http, code, chosen):
                self.report.violation("password", "the initial password was refused at its change")
            elif answer.status_code not in (204, 401):
                self.report.violation("password", f"{answer.status_code} for a right change of password")
            self.book.chosen[code] = chosen


def entitled(school: SchoolUnderFire) -> int:
    """How many get credentials: by mail the guardians (the pupils wait for a mailbox), on paper everybody."""
    return len(school.guardians) + (len(school.pupils) if school.policy == "paper" else 0)


def reached(school: SchoolUnderFire) -> int:
    """How many of them can be given what they are entitled to."""
    return entitled(school) - len(school.unreachable)


async def signs_in(http: Patient, code: str, password: str) -> bool:
    answer = await http.ask("POST", "/api/identity/sessions", json={"user_code": code, "password": password})
    return answer.status_code == 201


class SchoolOnTheBus:
    """A school's system on the bus: hands in a message until the bus says that it has it."""

    def __init__(self, url: str, school: SchoolUnderFire) -> None:
        self._url = url
        self._school = school
        self._client: Client | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> "SchoolOnTheBus":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await _closed(self._client.close)

    async def hand_in(self, message: bytes) -> None:
        """Errors: GaveUp."""

        async def queued() -> bool:
            try:
                client = await self._connected()
                await client.jetstream().publish(f"ingress.{self._school.code}.cmd", message, timeout=5)
            except (NatsError, JetStreamError, OSError, TimeoutError):
                await asyncio.sleep(PAUSE)
                return False
            return True

        await until(queued, "the bus taking a message")

    async def _connected(self) -> Client:
        async with self._lock:
            if self._client is not None and not self._client.is_closed:
                return self._client
            self._client = await nats.connect(
                self._url,
                nkeys_seed=self._school.seed_file,
                inbox_prefix=f"_INBOX_school_{self._school.code}".encode(),
                connect_timeout=3,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.2,
                error_cb=_unheard,
            )
            return self._client


async def _unheard(_: Exception) -> None:
    """What breaks is expected to."""


async def _closed(close: Callable[[], Awaitable[None]]) -> None:
    with suppress(NatsError, OSError, TimeoutError):
        await asyncio.wait_for(close(), 5)
