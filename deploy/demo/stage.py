"""What every chapter of the demo stands on: the running installation, its people's keys, and what is waited for."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from audit.history import StreamSource
from audit.replay import of_school
from deploy.demo.backstage import OPERATOR, import_file, open_staff_account, registry_of
from deploy.demo.memory import Key, Memory
from deploy.demo.schools import DemoSchool, demo_schools
from deploy.demo.teller import Teller
from deploy.demo.visitor import Visitor
from deploy.supervisor import Running
from services.registry.report import Report
from shared.contracts.event import Context
from shared.contracts.identity import StaffRole
from shared.ids import new_id
from shared.messaging.bus import Bus

_METRIC = re.compile(r"^custode_(\w+)(?:\{source=\"(\w+)\"\})? ([0-9.e+]+)$", re.MULTILINE)


class DemoFailed(Exception):
    """The story took another turn than it should: the message says where."""


_STAFF = {
    StaffRole.secretary: ("Marta", "Segreti"),
    StaffRole.principal: ("Livia", "Presidi"),
    StaffRole.teacher: ("Dario", "Docenti"),
}


class Clerk:
    """A signed-in member of staff, who speaks to the services as the desk's pages do."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor

    async def ask(self, path: str) -> Any:
        return self._told(path, await self.visitor.json(path))

    async def say(self, path: str, body: object, *, refused: int | None = None) -> Any:
        """`refused`: the status with which it must be refused."""
        return self._told(path, await self.visitor.json(path, body), refused)

    @staticmethod
    def _told(path: str, answer: httpx.Response, refused: int | None = None) -> Any:
        expected = answer.is_success if refused is None else answer.status_code == refused
        if not expected:
            raise DemoFailed(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None


class Stage:
    def __init__(self, running: Running, memory: Memory, teller: Teller) -> None:
        self.running = running
        self.memory = memory
        self.tell = teller
        self.wiring = running.parts.wiring
        self.paper, self.email = demo_schools()
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)
        self._waited: dict[tuple[str, str], int] = {}

    @property
    def site(self) -> str:
        return self.running.site_url

    def failed(self, text: str) -> DemoFailed:
        return DemoFailed(text)

    async def close(self) -> None:
        await self.http.aclose()

    @asynccontextmanager
    async def auditor(self) -> AsyncIterator[StreamSource]:
        bus = Bus(self.wiring.nats_url, "auditor", self.wiring.seed_file("auditor"))
        bus.start()
        try:
            yield StreamSource(await asyncio.wait_for(bus.connected(), 10))
        finally:
            await bus.close()

    async def history_of(self, school: DemoSchool) -> Counter[str]:
        """How often each kind of event stands in the school's history."""
        async with self.auditor() as source:
            return Counter([entry.name async for entry in of_school(source, school.codice)])

    async def import_(self, school: DemoSchool, file: Path) -> Report:
        with self.tell.bar(f"reading {file.name}") as bar:
            async with registry_of(self.wiring) as registry:
                report = await import_file(registry, file, bar.to)
        if report.counts.errors:
            raise DemoFailed(f"{file.name}: {report.counts.errors} rows were refused")
        return report

    async def issued(self, school: DemoSchool) -> None:
        """Identity and notifications have read, and done, all that the registry said."""
        async with registry_of(self.wiring) as registry:
            head = await registry.store.head()
        await self.follows("identity", "registry", head, "issuing credentials")
        issued = int((await self.metrics("identity"))["store_position", ""])
        await self.follows("notifications", "registry", head, "preparing deliveries")
        await self.follows("notifications", "identity", issued, "preparing deliveries")

    async def follows(self, service: str, source: str, upto: int, text: str) -> None:
        start = self._waited.get((service, source), 0)
        with self.tell.bar(text, total=upto - start) as bar:
            while (position := int((await self.metrics(service)).get(("reader_position", source), 0))) < upto:
                bar.to(max(position - start, 0))
                await asyncio.sleep(0.2)
        self._waited[service, source] = upto

    async def staff(self, school: DemoSchool, role: StaffRole) -> Key:
        """The key of the school's one member of staff in this role; opened when first asked for."""
        name = f"{role.value} of {school.customer_id}"
        if name not in self.memory.keys:
            key = await open_staff_account(self.wiring, school.codice, role, *_STAFF[role])
            self.memory.keys[name] = Key(*key)
            self.memory.save()
        return self.memory.keys[name]

    @asynccontextmanager
    async def desk(self, school: DemoSchool, role: StaffRole = StaffRole.secretary) -> AsyncIterator["Clerk"]:
        """Somebody of the school's staff, signed in."""
        async with Visitor(self.site) as visitor:
            await self.sign_in(visitor, await self.staff(school, role))
            yield Clerk(visitor)

    @asynccontextmanager
    async def teacher(self, school: DemoSchool) -> AsyncIterator["Clerk"]:
        async with self.desk(school, StaffRole.teacher) as clerk:
            yield clerk

    async def teaches(self, school: DemoSchool, class_id: str) -> None:
        """The school's teacher teaches this class, and notifications knows it."""
        await self.staff(school, StaffRole.teacher)
        async with registry_of(self.wiring) as registry:
            found: list[str] = []

            async def known() -> bool:
                members = await registry.staffing.members(school.codice)
                found.extend(m.person for m in members if m.family_name == _STAFF[StaffRole.teacher][1])
                return bool(found)

            await self.until(known, "the registry's knowing the teacher")
            context = Context(actor=OPERATOR, correlation=new_id())
            await registry.staffing.teaches(school.codice, found[0], [class_id], context=context)
            head = await registry.store.head()
        await self.follows("notifications", "registry", head, "telling notifications")

    async def known(self, school: DemoSchool) -> None:
        """Identity knows this school: its front answers."""

        async def answers() -> bool:
            return (await self.http.get(f"{self.site}/s/{school.customer_id}")).status_code == 200

        await self.until(answers, "identity's knowing the school")

    async def must_refuse(self, key: Key, otherwise: str) -> None:
        async with Visitor(self.site) as anyone:
            await anyone.open("/accesso/")
            await anyone.submit("/accesso/", {"codice": key.user_code, "password": key.password})
            if anyone.status != 422 or anyone.path != "/accesso/":
                raise DemoFailed(otherwise)

    async def until(self, true: Callable[[], Awaitable[bool]], what: str, seconds: float = 60) -> None:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if await true():
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise DemoFailed(f"{what} did not happen within {seconds:.0f} seconds") from None

    async def happened(self, school: DemoSchool, name: str, times: int) -> None:
        async def told() -> bool:
            return (await self.history_of(school))[name] >= times

        await self.until(told, f"{times} times {name}")

    async def sign_in(self, visitor: Visitor, key: Key) -> None:
        await visitor.open("/accesso/")
        await visitor.submit("/accesso/", {"codice": key.user_code, "password": key.password})
        if visitor.status != 200 or visitor.path == "/accesso/":
            raise DemoFailed(f"signing in ended at {visitor.path} with {visitor.status}")

    async def metrics(self, service: str) -> dict[tuple[str, str], float]:
        text = (await self.http.get(f"{self.running.service_url(service)}/metrics")).text
        return {(name, source or ""): float(value) for name, source, value in _METRIC.findall(text)}

    async def mails(self) -> int:
        answer = (await self.http.get(f"{self.running.mailbox_url}/api/messages")).json()
        return int(answer["total"])

    async def letters(self, address: str, saying: str) -> list[str]:
        """The texts of the messages to an address that say this, the newest first."""
        url = f"{self.running.mailbox_url}/api/messages"
        listed: dict[str, Any] = (await self.http.get(url, params={"to": address})).json()
        texts = [(await self.http.get(f"{url}/{one['id']}")).json()["text"] for one in listed["messages"]]
        return [str(text) for text in texts if saying in text]

    async def letter(self, address: str, number: int = 1, saying: str = "Password") -> str:
        """The newest message to an address that says this, once there are so many."""

        async def there() -> bool:
            return len(await self.letters(address, saying)) >= number

        await self.until(there, f"the arrival of {number} messages at {address}")
        return (await self.letters(address, saying))[0]


def found_in(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    if match is None:
        raise DemoFailed("the message does not say what it should")
    return match[1]
