"""What the machines found, kept as plain tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from shared.contracts.event import Event
from shared.contracts.identity import AccountRole
from shared.contracts.policy import PAPER
from shared.contracts.registry import EndReason, EnrolmentKind, StudentWithdrawn
from shared.ids import new_id
from tests.integration.identity_fixtures import (
    NEXT_YEAR,
    YEAR,
    World,
    enrolled,
    identity_world,
    linked,
)


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


async def test_who_waits_leaves_and_comes_back_another_year_is_not_forgotten(world: World) -> None:
    """They waited for the first year, which they left; what they wait for now is the year of their return."""
    await world.school(PAPER, key=False)
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(guardian, pupil))
    left: Event = StudentWithdrawn(student=pupil, year=YEAR, on=None, reason=EndReason.transfer)
    await world.hear("registry", (f"student/{pupil}", left))
    await world.hear("registry", enrolled(pupil, EnrolmentKind.continuing, NEXT_YEAR))
    await world.parts.housekeeping.once()
    await world.publish_key()
    await world.parts.issuer.issue_ready()
    for account in (account_id(AccountRole.pupil, pupil), account_id(AccountRole.guardian, guardian)):
        assert (await world.issued(account)).year == NEXT_YEAR


async def test_who_waits_for_two_years_and_leaves_the_later_one_still_waits(world: World) -> None:
    await world.school(PAPER, key=False)
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(guardian, pupil))
    await world.hear("registry", enrolled(pupil, EnrolmentKind.continuing, NEXT_YEAR))
    left: Event = StudentWithdrawn(student=pupil, year=NEXT_YEAR, on=None, reason=EndReason.transfer)
    await world.hear("registry", (f"student/{pupil}", left))
    await world.parts.housekeeping.once()
    await world.publish_key()
    await world.parts.issuer.issue_ready()
    for account in (account_id(AccountRole.pupil, pupil), account_id(AccountRole.guardian, guardian)):
        assert (await world.issued(account)).year == YEAR
