"""The main job, from a class list to a first sign-in, on two schools (see `make demo`)."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from audit.history import StreamSource
from audit.replay import of_school, story
from deploy.commands.audit import telling
from deploy.demo.backstage import import_file, open_staff_account, passphrase, register, registry_of
from deploy.demo.memory import Key, Memory
from deploy.demo.schools import DemoSchool, bad_file, demo_schools
from deploy.demo.teller import Teller
from deploy.demo.visitor import Visitor
from deploy.environment import SERVICES
from deploy.supervisor import Running
from services.registry.report import Report
from shared.contracts.identity import StaffRole
from shared.messaging.bus import Bus

_METRIC = re.compile(r"^custode_(\w+)(?:\{source=\"(\w+)\"\})? ([0-9.e+]+)$", re.MULTILINE)
_CODE = re.compile(r"^\s*(?:Codice utente|User code)[^:]*:\s*(\S+)\s*$", re.MULTILINE)
_PASSWORD = re.compile(r"^\s*Password[^:]*:\s*(\S+)\s*$", re.MULTILINE)

_SHOWN_PROBLEMS = 6


class DemoFailed(Exception):
    """The story took another turn than it should: the message says where."""


class Tour:
    def __init__(self, running: Running, memory: Memory, teller: Teller) -> None:
        self._running = running
        self._memory = memory
        self._tell = teller
        self._wiring = running.parts.wiring
        self._paper, self._email = demo_schools()
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)
        self._waited: dict[tuple[str, str], int] = {}

    async def take(self) -> None:
        chapters: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("paper", self._paper_school),
            ("email", self._email_school),
            ("mistakes", self._mistakes),
            ("slips", self._slips),
            ("family", self._family),
        )
        try:
            for name, chapter in chapters:
                if name not in self._memory.done:
                    await chapter()
                    self._memory.finished(name)
            await self._replay()
            await self._summary()
        finally:
            await self._http.aclose()

    async def _paper_school(self) -> None:
        school = self._paper
        self._tell.chapter(f"A school on paper: {school.name}")
        async with registry_of(self._wiring) as registry:
            await register(registry, school)
        for file in school.files:
            report = await self._import(school, file)
            await self._issued(school)
            counts = report.counts
            self._tell.done(
                f"{file.name}: {counts.new_pupils} new pupils, {counts.new_guardians} new guardians, "
                f"{counts.kept} pupils known from an earlier year"
            )
        self._tell.fact("Whoever had credentials keeps them; only newcomers were issued any.")

    async def _email_school(self) -> None:
        school = self._email
        self._tell.chapter(f"A school by e-mail: {school.name}")
        async with registry_of(self._wiring) as registry:
            await register(registry, school)
        before = await self._mails()
        (file,) = school.files
        report = await self._import(school, file)
        counts = report.counts
        self._tell.done(f"{file.name}: {counts.new_pupils} pupils, {counts.new_guardians} guardians")
        await self._issued(school)
        await self._sent(school)
        self._tell.done(
            f"{await self._mails() - before} messages went out through SMTP, one recipient each: "
            f"{self._running.mailbox_url}"
        )
        self._tell.fact("Pupils wait until the school has opened their institutional mailboxes.")
        refused = (await self._history_of(school))["IssuanceRefused"]
        self._tell.fact(
            f"{refused} holders of older classes have no account here yet: refused, until the desk issues with one action."
        )
        await self._secretary(school)

    async def _mistakes(self) -> None:
        self._tell.chapter("A file with mistakes, tried without entering anything")
        async with registry_of(self._wiring) as registry:
            report = await import_file(registry, bad_file(), lambda done, total: None, dry_run=True)
        for problem in report.problems[:_SHOWN_PROBLEMS]:
            place = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
            self._tell.fact(f"{place}: {problem.message['en']}")
        self._tell.done(
            f"{report.counts.errors} errors and {report.counts.warnings} warnings, each with its place; "
            f"{report.counts.new_pupils} good pupils would go in"
        )

    async def _slips(self) -> None:
        self._tell.chapter("Slips, from the desk's page")
        school = self._paper
        async with Visitor(self._running.site_url) as secretary:
            await self._sign_in(secretary, await self._secretary(school))
            classes = (await secretary.json("/api/notifications/classes")).json()
            year = max(c["year"] for c in classes)
            first = next(c for c in classes if c["year"] == year and c["states"].get("to_print"))
            count = first["states"]["to_print"]
            page = f"/consegne/classi/{first['class_id']}"
            await secretary.open(page)
            answer = await secretary.post(f"{page}/tagliandi", {"scelta": "tutti", "consegna": "classe"})
        if answer.headers.get("content-type") != "application/pdf":
            raise DemoFailed(f"the desk did not print: {answer.status_code}")
        path = self._running.settings.data / "demo-tagliandi.pdf"
        path.write_bytes(answer.content)
        path.chmod(0o600)
        self._tell.done(f"class {first['title']}: {count} slips, folded so that the secret is inside")
        self._tell.fact(f"Saved as {path}. Only a demo may: slips are streamed and never stored.")

    async def _family(self) -> None:
        self._tell.chapter("A mother reads her mail and signs in")
        address = self._email.stories["heroine_email"]
        text = await self._letter(address)
        code, password = _found(_CODE, text), _found(_PASSWORD, text)
        self._tell.done(f"the message to {address} names the school's address and a user code")
        chosen = passphrase()
        async with Visitor(self._running.site_url) as mother:
            await mother.open(f"/s/{self._email.customer_id}")
            await mother.submit("/accesso/", {"codice": code, "password": password})
            if mother.path != "/accesso/cambio-password":
                raise DemoFailed(f"the first access did not ask for a new password, but led to {mother.path}")
            await mother.open("/registro/")
            if mother.path != "/accesso/cambio-password":
                raise DemoFailed("with the initial password more was reached than changing it")
            self._tell.done("the first access is led to the change of password, and nowhere else")
            await mother.submit(
                "/accesso/cambio-password", {"attuale": password, "nuova": chosen, "ripeti": chosen}
            )
            self._memory.account = (await mother.json("/api/identity/me")).json()["account"]
        async with Visitor(self._running.site_url) as mother:
            await self._sign_in(mother, Key(code, chosen))
            await mother.open("/registro/")
            if mother.path != "/registro/" or mother.status != 200:
                raise DemoFailed(f"signed in, but the home page answered {mother.status} at {mother.path}")
        self._tell.done("she signs in again with the password that she chose")
        async with Visitor(self._running.site_url) as anyone:
            await anyone.open("/accesso/")
            await anyone.submit("/accesso/", {"codice": code, "password": password})
            if anyone.status != 422 or anyone.path != "/accesso/":
                raise DemoFailed("the old password was accepted")
        self._tell.done("the old password is refused")
        self._memory.keys["a mother"] = Key(code, chosen)

    @asynccontextmanager
    async def _auditor(self) -> AsyncIterator[StreamSource]:
        bus = Bus(self._wiring.nats_url, "auditor", self._wiring.seed_file("auditor"))
        bus.start()
        try:
            yield StreamSource(await asyncio.wait_for(bus.connected(), 10))
        finally:
            await bus.close()

    async def _history_of(self, school: DemoSchool) -> Counter[str]:
        """How often each kind of event stands in the school's history."""
        async with self._auditor() as source:
            return Counter([entry.name async for entry in of_school(source, school.codice)])

    async def _replay(self) -> None:
        account = self._memory.account
        if account is None:
            raise DemoFailed("the demo does not know whose story to tell")
        self._tell.chapter(f"The whole story of that credential: custode audit replay {account}")
        async with self._auditor() as source:
            self._tell.show(telling(await story(source, account)))

    async def _summary(self) -> None:
        rows = []
        for school in (self._paper, self._email):
            told = await self._history_of(school)
            rows.append(
                (
                    school.name,
                    *(str(told[name]) for name in ("AccountOpened", "CredentialsIssued", "CredentialsKept")),
                    f"{told['EmailAccepted']} mails, {told['SlipPrinted']} slips",
                )
            )
        self._tell.show("")
        self._tell.table("What stands now", rows, ("school", "accounts", "issued", "kept", "delivered"))
        site = self._running.site_url
        people = [(name, f"{key.user_code}   {key.password}") for name, key in self._memory.keys.items()]
        self._tell.addresses(
            [
                ("paper school", f"{site}/s/{self._paper.customer_id}"),
                ("e-mail school", f"{site}/s/{self._email.customer_id}"),
                ("desk", f"{site}/consegne/"),
                ("mailbox", self._running.mailbox_url),
                *((f"API of {s}", f"{site}/api/{s}/") for s in SERVICES),
                ("events", "shared/contracts/published/asyncapi.json"),
                *people,
            ]
        )

    async def _import(self, school: DemoSchool, file: Path) -> Report:
        with self._tell.bar(f"reading {file.name}") as bar:
            async with registry_of(self._wiring) as registry:
                report = await import_file(registry, file, bar.to)
        if report.counts.errors:
            raise DemoFailed(f"{file.name}: {report.counts.errors} rows were refused")
        return report

    async def _issued(self, school: DemoSchool) -> None:
        """Identity and notifications have read, and done, all that the registry said."""
        async with registry_of(self._wiring) as registry:
            head = await registry.store.head()
        await self._follows("identity", "registry", head, "issuing credentials")
        issued = int((await self._metrics("identity"))["store_position", ""])
        await self._follows("notifications", "registry", head, "preparing deliveries")
        await self._follows("notifications", "identity", issued, "preparing deliveries")

    async def _follows(self, service: str, source: str, upto: int, text: str) -> None:
        start = self._waited.get((service, source), 0)
        with self._tell.bar(text, total=upto - start) as bar:
            while (
                position := int((await self._metrics(service)).get(("reader_position", source), 0))
            ) < upto:
                bar.to(max(position - start, 0))
                await asyncio.sleep(0.2)
        self._waited[service, source] = upto

    async def _sent(self, school: DemoSchool) -> None:
        expected = (await self._history_of(school))["DeliveryRequested"]
        with self._tell.bar("sending e-mails", total=expected) as bar:
            async with asyncio.timeout(180):
                while (count := await self._mails()) < expected:
                    bar.to(count)
                    await asyncio.sleep(0.3)

    async def _secretary(self, school: DemoSchool) -> Key:
        name = f"secretary of {school.customer_id}"
        if name not in self._memory.keys:
            key = await open_staff_account(
                self._wiring, school.codice, StaffRole.secretary, "Marta", "Segreti"
            )
            self._memory.keys[name] = Key(*key)
            self._memory.save()
        return self._memory.keys[name]

    async def _sign_in(self, visitor: Visitor, key: Key) -> None:
        await visitor.open("/accesso/")
        await visitor.submit("/accesso/", {"codice": key.user_code, "password": key.password})
        if visitor.status != 200 or visitor.path == "/accesso/":
            raise DemoFailed(f"signing in ended at {visitor.path} with {visitor.status}")

    async def _metrics(self, service: str) -> dict[tuple[str, str], float]:
        text = (await self._http.get(f"{self._running.service_url(service)}/metrics")).text
        return {(name, source or ""): float(value) for name, source, value in _METRIC.findall(text)}

    async def _mails(self) -> int:
        answer = (await self._http.get(f"{self._running.mailbox_url}/api/messages")).json()
        return int(answer["total"])

    async def _letter(self, address: str) -> str:
        url = f"{self._running.mailbox_url}/api/messages"
        found: dict[str, Any] = (await self._http.get(url, params={"to": address})).json()
        if not found["messages"]:
            raise DemoFailed("the mother's message has not arrived")
        message = (await self._http.get(f"{url}/{found['messages'][0]['id']}")).json()
        return str(message["text"])


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    if match is None:
        raise DemoFailed("the message does not say what it should")
    return match[1]
