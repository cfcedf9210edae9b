"""What the hostile requests to the three JSON APIs are about: schools, families, staff, and who is signed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from deploy.demo.backstage import registry_of
from deploy.demo.memory import Key
from services.registry.api_keys import Scope
from shared.contracts.identity import AccountRole, StaffRole
from shared.ids import new_id
from tests.acceptance.installation import Installation, School, account_of
from tests.acceptance.people import first_access, printed_keys
from tests.hostile.operations import Service

SERVICES = ("registry", "identity", "notifications")
STAFF = "/api/identity/staff"
PLAN: Final = {"title": "Prova", "roles": ["guardian"], "opens": f"{datetime.now(UTC).date()}T00:00:00Z"}


class Known(dict[str, Any]):
    """What a path may name, by the name of its parameter; of what does not exist yet, the id of nothing."""

    def __missing__(self, name: str) -> str:
        self[name] = new_id()
        return str(self[name])


@dataclass(frozen=True)
class Family:
    """A pupil and a guardian, with the keys that are on their slips."""

    student: str
    guardian: str
    keys: Mapping[str, Key]

    @property
    def parent(self) -> str:
        return account_of(AccountRole.guardian, self.guardian)

    @property
    def pupil(self) -> str:
        return account_of(AccountRole.pupil, self.student)


@dataclass
class World:
    """`boss` has every role of staff at `school`: headers, as `mailers`, the office of `mailing`, and
    `reader` and `feeder`, with API keys. `ruler_key` is of
    the principal of a school whose policy may change. `families` have slips, `mailed` and `must_change` are guardians
    at `mailing`; a third one never signs in;
    `campaign` was for them. `another`, `leaving`, `ending` and `colleague` are staff to whom anything may happen. `slips`: deliveries by holder."""

    installation: Installation
    services: dict[str, Service]
    school: School
    mailing: School
    mailers: dict[str, str]
    campaign: str
    boss: dict[str, str]
    boss_key: Key
    ruler_key: Key
    reader: dict[str, str]
    feeder: dict[str, str]
    another: Key
    leaving: Key
    ending: Key
    families: list[Family]
    mailed: Key
    must_change: Key
    pin: str
    known: dict[str, Any]
    colleague: str
    slips: Mapping[str, str]

    async def session(self, key: Key) -> dict[str, str]:
        return await session(self.installation, key)

    def named(self, label: str) -> dict[str, Any]:
        """What exists, for the path of this operation."""
        operation = next(s.operations[label] for s in self.services.values() if label in s.operations)
        names = {parameter.name for parameter in operation.path_parameters}
        known = {name: self.known[name] for name in names}
        return known | ({"account": self.colleague} if STAFF in label and "account" in names else {})


async def session(installation: Installation, key: Key) -> dict[str, str]:
    async with installation.visitor() as visitor:
        await installation.sign_in(visitor, key)
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    return {"Cookie": cookies, "Origin": installation.site}


async def described(installation: Installation) -> dict[str, Service]:
    services = {}
    for name in SERVICES:
        url = installation.running.service_url(name)
        document = (await installation.http.get(f"{url}/api/{name}/openapi.json")).json()
        services[name] = Service(url, document)
    return services


async def world_of(installation: Installation, school: School) -> World:
    """`school` prints. What is asked for of others is made here."""
    services = await described(installation)
    mailing, ruled = await installation.school("email"), await installation.school("paper")
    mailers = await session(installation, await mailing.secretary())
    campaign = services["notifications"].say("POST /api/notifications/campaigns", mailers, 201, PLAN)
    guardians = [mailing.guardian() for _ in range(3)]
    await mailing.enrol(mailing.pupil(), *guardians)
    boss_key = await installation.staff(school.code, StaffRole.administrator)
    boss = await with_every_role(installation, services["identity"], boss_key)
    colleague, another, leaving, ending = [await installation.staff(school.code) for _ in range(4)]
    ruler = await installation.staff(ruled.code, StaffRole.principal)
    families = await families_of(school, 5)
    letters = [await installation.letter(guardian["email"]) for guardian in guardians]
    async with registry_of(installation.running.parts.wiring) as registry:
        reader = await registry.add_api_key(school.code, "lettura", frozenset({Scope.read}))
    await installation.settled()
    deliveries = services["notifications"].say("GET /api/notifications/deliveries", boss, 200)["deliveries"]
    slips = {each["holder"]: each["delivery"] for each in reversed(deliveries)}
    members = services["identity"].say(f"GET {STAFF}", boss, 200)
    return World(
        installation,
        services,
        school,
        mailing,
        mailers,
        campaign["campaign"],
        boss,
        boss_key,
        ruler,
        {"Authorization": f"Bearer {reader.secret}"},
        {"Authorization": f"Bearer {school.api_key}"},
        another,
        leaving,
        ending,
        families,
        await first_access(mailing, Key(letters[0].code, letters[0].password)),
        Key(letters[1].code, letters[1].password),
        letters[0].pin,
        Known(
            code=school.code,
            class_id=await school.class_id(),
            delivery=slips[families[0].guardian],
            account=families[0].parent,
            person=families[0].guardian,
            guardian=families[0].guardian,
            student=families[0].student,
            template="reminder",
            language="it",
        ),
        next(m["account"] for m in members if m["user_code"] == colleague.user_code),
        slips,
    )


async def with_every_role(installation: Installation, identity: Service, key: Key) -> dict[str, str]:
    """An administrator gives themselves the other roles, and signs in anew."""
    headers = await session(installation, key)
    account = identity.say("GET /api/identity/me", headers, 200)["account"]
    roles = {"roles": [role.value for role in StaffRole if role is not StaffRole.auditor]}
    identity.say(f"PUT {STAFF}/{{account}}/roles", headers, 204, roles, account=account)
    return await session(installation, key)


async def families_of(school: School, number: int) -> list[Family]:
    """Enrolled, issued to and printed for."""
    before = (await school.counts())["CredentialsIssued"]
    entered = [await school.enrol(school.pupil(), school.guardian()) for _ in range(number)]
    await school.issued(before + 2 * number)
    await school.happened("DeliveryRequested", before + 2 * number)
    await school.installation.settled()
    keys = await printed_keys(school)
    found = []
    for one in entered:
        family = Family(one["student"], one["guardians"][0], {})
        found.append(
            Family(family.student, family.guardian, {a: keys[a] for a in (family.parent, family.pupil)})
        )
    return found
