"""Every role against every object, own and foreign: identity."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.operations import NewStaffMember, open_staff
from services.identity.operations_life import Acting
from shared.contracts.identity import AccountRole, ReportedBy, StaffRole
from shared.contracts.policy import PAPER
from shared.contracts.registry import IdentityCheck
from shared.ids import new_id
from shared.web.sessions import Role
from tests.attacker import matrix
from tests.attacker.matrix import Cast, Ground
from tests.integration.identity_fixtures import SCHOOL, SITE, World, enrolled, identity_world, linked

OTHER = "RMIC00000X"
CHOSEN = "tre gatti verdi sul tetto"
PUBLIC = frozenset(
    {
        ("GET", "/api/identity/"),  # the reference of the API
        ("GET", "/s/{customer_id}"),  # a school's own address
        ("GET", "/accesso"),
        ("GET", "/accesso/"),  # signing in
        ("POST", "/accesso/"),
        ("POST", "/api/identity/sessions"),
        ("POST", "/api/identity/passkey-sessions"),
        ("POST", "/api/identity/passkey-sessions/options"),
        ("GET", "/accesso/cambio-password"),  # P7: on the sign-in screen, with the old password
        ("POST", "/accesso/cambio-password"),
        ("POST", "/api/identity/password"),
        ("GET", "/accesso/uscita"),  # signing out
        ("POST", "/accesso/uscita"),
        ("GET", "/accesso/smarrite"),  # what the school's policy says of what was lost
        ("GET", "/accesso/credenziali-perse"),
    }
)


async def people(world: World, school: str, customer: str) -> dict[Role, tuple[str, str]]:
    """One of each role, with credentials in use, a request of theirs and a passkey."""
    await world.school(PAPER, code=school, customer=customer)
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(guardian, pupil), school=school)
    found: dict[Role, tuple[str, str]] = {
        "pupil": (account_id(AccountRole.pupil, pupil), pupil),
        "guardian": (account_id(AccountRole.guardian, guardian), guardian),
    }
    account = found["guardian"][0]
    secret = await world.secret(account)
    front = world.parts.front
    assert await front.signing_in.sign_in(await world.user_code(account), secret.password)
    await front.life.request_regeneration(
        account,
        ReportedBy.desk,
        "persa",
        Acting(school, "desk"),
        identity_check=IdentityCheck.known_in_person,
    )
    for role in StaffRole:
        member = NewStaffMember(school, (role,), "Ada", role.value, CHOSEN, True)
        opened = await open_staff(
            world.parts.runtime.commands, world.parts.hasher, member, actor="system:test"
        )
        row = await world.pool.fetchrow(
            "select holder from projections.accounts_v1 where account = $1", opened.account
        )
        assert row is not None
        found[role.value] = (opened.account, row["holder"])
        await world.pool.execute(
            "insert into private.passkeys values ($1, $2, $3, $4, '', 0, 'chiave', false, now())",
            new_id(),
            opened.account,
            school,
            new_id().encode(),
        )
    return found


@pytest.fixture
async def ground(postgres: PostgresEngine, folder: Path) -> AsyncIterator[Ground]:
    async with identity_world(postgres, folder) as world:
        ours = await people(world, SCHOOL, "liceo-prova")
        await people(world, OTHER, "altra")
        cast = Cast()
        world.parts.sessions.introspect = cast.introspect  # type: ignore[method-assign]
        app = world.parts.web()
        yield Ground(app, world.pool, SITE, SCHOOL, OTHER, cast, PUBLIC, ours)


@pytest.mark.requirement("M10", part="what nobody else may, nobody else gets")
async def test_nobody_gets_what_the_table_does_not_give_them(ground: Ground) -> None:
    assert await matrix.everything(ground) == ""
