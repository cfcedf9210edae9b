"""A whole installation for acceptance tests, and what people and systems do with it from outside."""

import asyncio
import io
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from pypdf import PdfReader

from audit.history import Entry, StreamSource
from audit.replay import of_school
from deploy.demo.backstage import open_staff_account, registry_of, with_passwords
from deploy.demo.memory import Key
from deploy.demo.visitor import Visitor
from deploy.supervisor import Running
from services.identity.domain.account import account_id
from services.registry.api_keys import USUAL_SCOPES, Scope
from shared.contracts.identity import AccountRole, StaffRole
from shared.contracts.policy import PRESETS
from shared.ids import new_id
from shared.messaging.bus import Bus

_LINE = r"^\s*{}[^:\n]*:\s*(\S+)\s*$"
YEAR = "2026/2027"


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 30, what: str = "it") -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await true():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen within {seconds} s") from None


@dataclass(frozen=True, slots=True)
class Letter:
    """A credential message as its recipient reads it."""

    to: str
    message_id: str
    text: str

    def says(self, label: str) -> str:
        match = re.search(_LINE.format(label), self.text, re.MULTILINE)
        assert match is not None, f"the letter has no line {label!r}"
        return match[1]

    @property
    def code(self) -> str:
        return self.says("Codice utente")

    @property
    def password(self) -> str:
        return self.says("Password")

    @property
    def pin(self) -> str:
        return self.says("PIN")


@dataclass
class School:
    """A school of this test alone, so that tests share an installation and nothing else."""

    installation: "Installation"
    code: str
    customer_id: str
    api_key: str
    people: int = 0
    source: str = "sistema-di-prova"
    _secretary: Key | None = field(default=None, repr=False)

    def pupil(self, **given: Any) -> dict[str, Any]:
        self.people += 1
        return {
            "id": f"A{self.people:04}",
            "family_name": "Prova",
            "given_name": f"Alunno{self.people}",
        } | given

    def guardian(self, **given: Any) -> dict[str, Any]:
        self.people += 1
        return {
            "id": f"G{self.people:04}",
            "family_name": "Prova",
            "given_name": f"Genitore{self.people}",
            "relationship": "mother",
            "email": f"g{self.people}.{self.customer_id}@famiglia.example",
        } | given

    def enrolment(
        self, pupil: Mapping[str, Any], *guardians: Mapping[str, Any], **given: Any
    ) -> dict[str, Any]:
        return {
            "school": self.code,
            "source": self.source,
            "school_year": YEAR,
            "class": {"id": "1A", "grade": 1, "section": "A"},
            "pupil": pupil,
            "guardians": list(guardians),
        } | given

    async def enrol(
        self, pupil: Mapping[str, Any], *guardians: Mapping[str, Any], **given: Any
    ) -> dict[str, Any]:
        """One enrolment over HTTP, as a school's system does it."""
        answer = await self.installation.enrol(self.enrolment(pupil, *guardians, **given), self.api_key)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def events(self) -> list[Entry]:
        return await self.installation.history(self.code)

    async def counts(self) -> Counter[str]:
        return Counter(entry.name for entry in await self.events())

    async def issued(self, expected: int) -> None:
        await until(lambda: self._has("CredentialsIssued", expected), what=f"issuing {expected} credentials")

    async def happened(self, name: str, expected: int, seconds: float = 30) -> None:
        await until(lambda: self._has(name, expected), seconds, f"{expected} times {name}")

    async def _has(self, name: str, expected: int) -> bool:
        return (await self.counts())[name] >= expected

    async def secretary(self) -> Key:
        if self._secretary is None:
            self._secretary = await self.installation.staff(self.code)
        return self._secretary

    async def class_id(self) -> str:
        return str(next(e for e in await self.events() if e.name == "ClassFormed").data["class_id"])

    async def print_class(self, **form: str) -> bytes:
        """The slips of the school's one class, as its secretary prints them."""
        async with self.installation.visitor() as desk:
            await self.installation.sign_in(desk, await self.secretary())
            page = f"/consegne/classi/{await self.class_id()}"
            await desk.open(page)
            answer = await desk.post(f"{page}/tagliandi", {"scelta": "tutti", "consegna": "classe", **form})
        assert answer.headers["content-type"] == "application/pdf", answer.text[:500]
        return answer.content

    async def adopt(self, preset: str, reason: str) -> None:
        """Another policy, from now on."""
        async with registry_of(self.installation.running.parts.wiring) as registry:
            await registry.adopt_policy(self.code, with_passwords(PRESETS[preset]), reason)

    async def known(self) -> None:
        """Identity knows this school: its front answers."""

        async def answers() -> bool:
            front = f"{self.installation.site}/s/{self.customer_id}"
            return (await self.installation.http.get(front)).status_code == 200

        await until(answers, what="identity knowing the school")


@dataclass
class Installation:
    running: Running
    http: httpx.AsyncClient
    numbers: Counter[str] = field(default_factory=Counter)

    @property
    def site(self) -> str:
        return self.running.site_url

    async def school(self, policy: str = "email", **settings: Any) -> School:
        """A new school, which every service knows when this returns."""
        self.numbers["school"] += 1
        number = self.numbers["school"]
        code, customer = f"TOIS{number:05}X", f"scuola-{number}"
        async with registry_of(self.running.parts.wiring) as registry:
            await registry.register_school(code, f"Istituto di prova {number}", customer, **settings)
            await registry.adopt_policy(code, with_passwords(PRESETS[policy]), "acceptance test")
            key = await registry.add_api_key(code, "prova", USUAL_SCOPES | {Scope.mailboxes})
        return School(self, code, customer, key.secret)

    async def enrol(
        self, enrolment: Mapping[str, Any], api_key: str, idempotency_key: str | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {api_key}"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return await self.http.post(f"{self.site}/api/registry/enrolments", json=enrolment, headers=headers)

    async def upload(self, school: School, name: str, content: bytes, **params: Any) -> httpx.Response:
        return await self.http.post(
            f"{self.site}/api/registry/imports",
            params=params,
            files={"file": (name, content)},
            headers={"Authorization": f"Bearer {school.api_key}"},
        )

    async def staff(self, school: str, role: StaffRole = StaffRole.secretary) -> Key:
        async def known() -> bool:
            try:
                code, password = await open_staff_account(
                    self.running.parts.wiring, school, role, "Sara", f"Segreti{secrets.randbelow(10**6)}"
                )
            except Exception as refused:
                if getattr(refused, "reason", "") == "unknown_school":
                    return False
                raise
            found.append(Key(code, password))
            return True

        found: list[Key] = []
        await until(known, what="identity knowing the school")
        return found[0]

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Visitor]:
        async with Visitor(self.site) as visitor:
            yield visitor

    async def sign_in(self, visitor: Visitor, key: Key) -> None:
        """Fills in the form of the sign-in page; where it led is in `visitor.path`."""
        await visitor.open("/accesso/")
        await visitor.submit("/accesso/", {"codice": key.user_code, "password": key.password})

    async def settled(self) -> None:
        """Registry and notifications have read all that identity has said."""

        async def level() -> bool:
            said = await self._position("identity", "custode_store_position")
            read = 'custode_reader_position{source="identity"}'
            return all([await self._position(s, read) >= said for s in ("registry", "notifications")])

        await until(level, what="the others' reading of identity")

    async def _position(self, service: str, metric: str) -> float:
        text = (await self.http.get(f"{self.running.service_url(service)}/metrics")).text
        return float(next(line for line in text.splitlines() if line.startswith(metric)).split()[-1])

    async def letters(self, to: str) -> list[Letter]:
        mailbox = self.running.mailbox_url
        listed = (await self.http.get(f"{mailbox}/api/messages", params={"to": to})).json()["messages"]
        found = []
        for one in reversed(listed):
            message = (await self.http.get(f"{mailbox}/api/messages/{one['id']}")).json()
            found.append(Letter(to, message["message_id"], message["text"]))
        return found

    async def letter(self, to: str, seconds: float = 30) -> Letter:
        async def there() -> bool:
            return bool(await self.letters(to))

        await until(there, seconds, "the letter's arrival")
        return (await self.letters(to))[0]

    async def mail(self, to: str, subject: str, seconds: float = 30) -> str:
        """The text of the message to `to` whose subject holds these words."""
        found: list[str] = []

        async def there() -> bool:
            url = f"{self.running.mailbox_url}/api/messages"
            listed = (await self.http.get(url, params={"to": to})).json()["messages"]
            for one in listed:
                if subject in one["subject"]:
                    found.append((await self.http.get(f"{url}/{one['id']}")).json()["text"])
            return bool(found)

        await until(there, seconds, f"a message about {subject!r}")
        return found[0]

    async def history(self, school: str) -> list[Entry]:
        bus = Bus(self.running.nats_url, "auditor", self.running.parts.wiring.seed_file("auditor"))
        bus.start()
        try:
            client = await asyncio.wait_for(bus.connected(), 10)
            return [entry async for entry in of_school(StreamSource(client), school)]
        finally:
            await bus.close()


def slips_in(pdf: bytes) -> list[str]:
    """The text of each slip of a PDF."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def account_of(role: AccountRole, person: str) -> str:
    return account_id(role, person)


def password_on(slip: str) -> str:
    """The initial password as it stands on a slip: four groups, each with its spelling beside it."""
    groups = re.findall(r"^([a-z0-9]{4})-?\n[^\n]+ · ", slip, re.MULTILINE)
    assert len(groups) == 4, f"the slip has no password: {slip}"
    return "-".join(groups)


def fresh_password() -> str:
    return f"prova di una famiglia {new_id()[-12:]}"
