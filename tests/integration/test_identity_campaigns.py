"""Whom a campaign holds back, nobody is issued to; the others are (E1)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from shared.contracts.event import Event
from shared.contracts.identity import AccountRole, CredentialsIssued, ShredReason, SlipShredded
from shared.contracts.notifications import (
    CampaignCancelled,
    CampaignCompleted,
    CampaignOpened,
    CampaignPaused,
    CampaignPlanned,
    CampaignResumed,
)
from shared.contracts.policy import PAPER, HolderRole
from shared.contracts.registry import StudentMovedClass
from shared.ids import new_id
from shared.sealing import ClaimReason, ClaimRequest
from tests.integration.identity_fixtures import YEAR, World, enrolled, identity_world, linked

OPENED, RESUMED = CampaignOpened(campaign="k"), CampaignResumed(campaign="k")
PAUSED = CampaignPaused(campaign="k", reason="indirizzi da rivedere")


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        await made.school(PAPER)
        yield made


async def plan(world: World, *roles: HolderRole, classes: tuple[str, ...] = ()) -> None:
    await tell(
        world,
        CampaignPlanned(campaign="k", title="Prime", roles=roles, classes=classes, opens=world.store.clock()),
    )


async def tell(world: World, *events: Event) -> None:
    for event in events:
        await world.hear("notifications", ("campaign/k", event))


async def family(world: World) -> tuple[str, str]:
    """A pupil of 1A and their father: the two accounts."""
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    return account_id(AccountRole.pupil, pupil), account_id(AccountRole.guardian, father)


async def issued(world: World) -> set[str]:
    while await world.parts.issuer.issue_ready():
        pass
    return {e.account for e in await world.events(CredentialsIssued)}


@pytest.mark.requirement("E1", part="nobody before it opens")
async def test_whom_a_planned_campaign_covers_waits_for_it_and_others_do_not(world: World) -> None:
    await plan(world, HolderRole.guardian, classes=("1A", "1B"))
    pupil, father = await family(world)
    assert await issued(world) == {pupil}
    await tell(world, OPENED)
    assert await issued(world) == {pupil, father}


async def test_another_class_is_not_held_back(world: World) -> None:
    await plan(world, HolderRole.guardian, HolderRole.pupil_under_age, classes=("1B",))
    pupil, father = await family(world)
    assert await issued(world) == {pupil, father}


async def test_without_classes_it_is_the_whole_school(world: World) -> None:
    await plan(world, HolderRole.guardian, HolderRole.pupil_under_age)
    pupil, father = await family(world)
    assert await issued(world) == set()
    await tell(world, OPENED)
    assert await issued(world) == {pupil, father}


async def test_who_moves_class_moves_out_of_the_campaign(world: World) -> None:
    await plan(world, HolderRole.pupil_under_age, classes=("1A",))
    student = new_id()
    await world.hear("registry", enrolled(student))
    assert await issued(world) == set()
    moved = StudentMovedClass(student=student, year=YEAR, from_class="1A", to_class="1C")
    await world.hear("registry", (f"student/{student}", moved))
    assert await issued(world) == {account_id(AccountRole.pupil, student)}


@pytest.mark.requirement("E1", part="pause")
async def test_while_it_is_paused_nobody_more_is_issued_to(world: World) -> None:
    await plan(world, HolderRole.guardian, HolderRole.pupil_under_age)
    await tell(world, OPENED)
    before = set(await family(world))
    assert await issued(world) == before
    await tell(world, PAUSED)
    later = set(await family(world))
    assert await issued(world) == before
    await tell(world, RESUMED)
    assert await issued(world) == before | later


async def test_one_that_is_paused_before_its_date_still_waits_for_it_when_resumed(world: World) -> None:
    await plan(world, HolderRole.guardian, HolderRole.pupil_under_age)
    await tell(world, PAUSED, RESUMED)
    await family(world)
    assert await issued(world) == set()


@pytest.mark.parametrize(
    "end",
    [
        CampaignCompleted(campaign="k", sent=1, failed=0),
        CampaignCancelled(campaign="k", reason="si rifà"),
    ],
)
async def test_one_that_has_ended_holds_nobody(world: World, end: Event) -> None:
    await plan(world, HolderRole.guardian, HolderRole.pupil_under_age)
    await tell(world, end)
    both = set(await family(world))
    assert await issued(world) == both


async def test_what_ended_unsent_while_it_was_paused_is_issued_anew(world: World) -> None:
    await plan(world, HolderRole.guardian, HolderRole.pupil_under_age)
    await tell(world, OPENED)
    pupil, father = await family(world)
    sent = await world.issued(father)
    await world.parts.slips.claim(ClaimRequest(credentials=(sent.credential,), reason=ClaimReason.send))
    await tell(world, PAUSED)
    world.ahead = timedelta(days=31)
    await world.publish_key()
    assert await world.parts.slips.expire() == 2
    assert {e.because for e in await world.events(SlipShredded)} == {ShredReason.expired}
    await tell(world, RESUMED)
    await issued(world)
    generations = {e.account: e.generation for e in await world.events(CredentialsIssued)}
    assert generations == {pupil: 2, father: 1}, "what had left is the desk's to decide on"
