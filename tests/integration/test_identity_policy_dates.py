"""A policy planned for a day comes into force with that day, and nothing issued before it changes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.issuer import POLL_SECONDS
from shared.contracts.event import Event
from shared.contracts.identity import AccountRole, CredentialsIssued
from shared.contracts.policy import EMAIL, PAPER, Channel, CredentialPolicy
from shared.contracts.registry import CredentialPolicyAdopted
from shared.ids import new_id
from shared.policies import local_day, policies_in_force
from tests.integration.identity_fixtures import SCHOOL, World, enrolled, identity_world, linked


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


def adopted(world: World, policy: CredentialPolicy, days: int) -> tuple[str, Event]:
    day = local_day(world.store.clock()) + timedelta(days=days)
    event = CredentialPolicyAdopted(school=SCHOOL, policy=policy, reason="prova", in_force_from=day)
    return f"school/{SCHOOL}", event


async def test_who_waits_is_issued_when_the_day_comes_without_any_event(world: World) -> None:
    await world.school(EMAIL)
    pupil, father = new_id(), new_id()
    # In one batch with the enrolments: what is planned says nothing yet.
    await world.hear("registry", adopted(world, PAPER, 3), enrolled(pupil), linked(father, pupil))
    before = await world.issued(account_id(AccountRole.guardian, father))
    assert (before.channel, before.must_change, before.pin_issued) == (Channel.email, True, True)
    world.ahead = timedelta(days=2)
    assert await world.parts.issuer.issue_ready() == 0
    head = await world.store.head()
    world.ahead = timedelta(days=3)
    await world.publish_key()
    assert await world.parts.issuer.issue_ready() == 1
    now = await world.issued(account_id(AccountRole.pupil, pupil))
    assert now.channel is Channel.slip
    assert await world.issued(account_id(AccountRole.guardian, father)) == before
    assert len(await world.events(CredentialsIssued)) == 2
    assert await world.store.head() > head
    assert POLL_SECONDS <= 60, "the day is noticed within a minute"


async def test_who_comes_after_the_day_is_treated_by_the_new_policy(world: World) -> None:
    await world.school(EMAIL)
    await world.hear("registry", adopted(world, PAPER, 3))
    world.ahead = timedelta(days=3)
    await world.publish_key()
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    assert {e.channel for e in await world.events(CredentialsIssued)} == {Channel.slip}


async def test_a_later_adoption_for_an_earlier_day_takes_the_place_of_the_planned_one(world: World) -> None:
    await world.school(PAPER)
    quiet = PAPER.model_copy(update={"reminder_days": None})
    await world.hear("registry", adopted(world, EMAIL, 9), adopted(world, quiet, 3))
    now = world.store.clock()
    found = [
        (await policies_in_force(world.pool, [SCHOOL], now + timedelta(days=days)))[SCHOOL]
        for days in (0, 2, 3, 9, 90)
    ]
    assert found == [PAPER, PAPER, quiet, quiet, quiet]


@pytest.mark.parametrize(
    ("moment", "in_force"),
    [
        (datetime(2040, 3, 31, 21, 59, tzinfo=UTC), PAPER),
        (datetime(2040, 3, 31, 22, 0, tzinfo=UTC), EMAIL),  # midnight in Italy, in summer time
    ],
)
async def test_the_day_begins_at_midnight_in_italy(
    world: World, moment: datetime, in_force: CredentialPolicy
) -> None:
    await world.school(PAPER)
    day = datetime(2040, 4, 1, tzinfo=UTC).date()
    planned = CredentialPolicyAdopted(school=SCHOOL, policy=EMAIL, reason="prova", in_force_from=day)
    await world.hear("registry", (f"school/{SCHOOL}", planned))
    assert await policies_in_force(world.pool, [SCHOOL], moment) == {SCHOOL: in_force}
