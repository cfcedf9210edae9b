"""Those who act in the stories: they sign in as people do, and speak to the site by pages or JSON."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from deploy.demo.backstage import registry_of
from deploy.demo.memory import Key
from deploy.demo.visitor import Visitor, forms
from shared.contracts.event import Context
from shared.contracts.identity import StaffRole
from shared.contracts.registry import StaffKind
from shared.ids import new_id
from tests.acceptance.installation import School, fresh_password, password_on, slips_in, until


@dataclass
class Person:
    """Somebody signed in."""

    visitor: Visitor

    async def ask(self, path: str) -> Any:
        answer = await self.visitor.json(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    async def say(
        self, path: str, body: object, *, status: int | tuple[int, ...] = (200, 201, 202, 204)
    ) -> Any:
        answer = await self.visitor.json(path, body)
        wanted = (status,) if isinstance(status, int) else status
        assert answer.status_code in wanted, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    async def read(self, path: str) -> str:
        page = await self.visitor.open(path)
        assert self.visitor.status == 200, f"{path}: {self.visitor.status} at {self.visitor.path}"
        return page


@asynccontextmanager
async def signed_in(school: School, key: Key) -> AsyncIterator[Person]:
    async with school.installation.visitor() as visitor:
        await school.installation.sign_in(visitor, key)
        assert visitor.status == 200 and visitor.path != "/accesso/", f"{visitor.status} at {visitor.path}"
        yield Person(visitor)


@asynccontextmanager
async def at_the_desk(school: School, role: StaffRole = StaffRole.secretary) -> AsyncIterator[Person]:
    key = (
        await school.secretary()
        if role is StaffRole.secretary
        else await school.installation.staff(school.code, role)
    )
    async with signed_in(school, key) as person:
        yield person


async def refused(school: School, key: Key) -> bool:
    """Whether this code and password open nothing."""
    async with school.installation.visitor() as visitor:
        await school.installation.sign_in(visitor, key)
        return visitor.path == "/accesso/" and visitor.status == 422


async def first_access(school: School, key: Key) -> Key:
    """Sign in with what was received, and choose a password where that is asked."""
    chosen = fresh_password()
    async with school.installation.visitor() as visitor:
        await school.installation.sign_in(visitor, key)
        form = {"attuale": key.password, "nuova": chosen, "ripeti": chosen}
        await visitor.open("/accesso/cambio-password")
        await visitor.submit("/accesso/cambio-password", form)
        assert visitor.status == 200, visitor.page
    return Key(key.user_code, chosen)


async def codes_of(school: School) -> dict[str, str]:
    """The user codes of a school by account, which its own database alone can tell."""
    connection = await asyncpg.connect(school.installation.running.urls("notifications").runtime)
    try:
        rows = await connection.fetch(
            "select account, user_code from projections.accounts_v1 "
            "where school = $1 and user_code is not null",
            school.code,
        )
    finally:
        await connection.close()
    return {row["account"]: row["user_code"] for row in rows}


async def printed_keys(school: School) -> dict[str, Key]:
    """What each slip of the school's one class says, by account."""
    codes, keys = await codes_of(school), {}
    for slip in slips_in(await school.print_class()):
        ((account, code),) = [(a, c) for a, c in codes.items() if c in slip.replace(" ", "")]
        keys[account] = Key(code, password_on(slip))
    return keys


async def print_holder(desk: Person, account: str) -> bytes:
    """The slip of one holder, from the page of that holder."""
    path = f"/consegne/titolari/{account}?stampa=ora"

    async def ready() -> bool:
        await desk.visitor.open(path)
        return any(f.action.endswith("/tagliandi") for f in forms(desk.visitor.page, desk.visitor.path))

    await until(ready, 20, "the slip's arrival at the desk")
    form = next(f for f in forms(desk.visitor.page, desk.visitor.path) if f.action.endswith("/tagliandi"))
    answer = await desk.visitor.post(form.action, dict(form.fields))
    assert answer.headers["content-type"] == "application/pdf", answer.text[:500]
    return answer.content


async def teacher_of(school: School, class_id: str) -> Key:
    """A teacher with an account, who is assigned to this class; both known to notifications."""
    key = await school.installation.staff(school.code, StaffRole.teacher)
    people: list[str] = []

    async def opened() -> bool:
        events = [e for e in await school.events() if e.name == "StaffAccountOpened"]
        people.extend(e.data["holder"] for e in reversed(events) if "teacher" in e.data["roles"])
        return bool(people)

    await until(opened, what="the teacher's account in the history")
    person = people[0]
    async with registry_of(school.installation.running.parts.wiring) as registry:

        async def known() -> bool:
            members = await registry.staffing.members(school.code)
            return any(m.person == person and m.has_account for m in members)

        await until(known, what="the registry knowing the teacher")
        context = Context(actor="operator", correlation=new_id())
        await registry.staffing.teaches(school.code, person, [class_id], context=context)
    await school.happened("TeacherAssigned", 1)
    await school.installation.settled()
    return key


async def appoint(school: School, kind: StaffKind, email: str) -> None:
    async with registry_of(school.installation.running.parts.wiring) as registry:
        await registry.staffing.appoint(
            school.code,
            kind=kind,
            family_name="Personale",
            given_name=kind.value.capitalize(),
            email=email,
            context=Context(actor="operator", correlation=new_id()),
        )


async def publish(desk: Person, number: str, subject: str, audiences: Sequence[str]) -> str:
    """A circular to these audiences, at once; its id."""
    body = {
        "number": number,
        "day": datetime.now(UTC).date().replace(day=10).isoformat(),
        "subject": subject,
        "text": "Si comunica che le credenziali del registro elettronico sono in distribuzione.\n\nCordiali saluti.",
        "signed_by": "La dirigente scolastica",
        "audiences": list(audiences),
    }
    made = await desk.say("/api/notifications/circulars", body)
    return str(made["circular"])
