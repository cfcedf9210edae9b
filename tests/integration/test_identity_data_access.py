"""A guardian's rights change: who may see no child's data is issued no credentials, whoever orders them (P2, M3)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from shared.contracts.identity import AccountRole, CredentialsIssued, IssuanceRefused, RefusalReason
from shared.contracts.policy import PAPER
from shared.contracts.registry import EndReason, EnrolmentKind, StudentWithdrawn
from shared.ids import new_id
from tests.integration.identity_fixtures import YEAR, World, corrected, enrolled, identity_world, linked

CONTINUING = EnrolmentKind.continuing
NO_ACCOUNT, BARRED = RefusalReason.no_account, RefusalReason.no_data_access


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


def guardian_account(guardian: str) -> str:
    return account_id(AccountRole.guardian, guardian)


async def refusals(world: World, guardian: str) -> list[RefusalReason]:
    found = await world.events(IssuanceRefused)
    return [e.reason for e in found if e.account == guardian_account(guardian)]


async def issued_to(world: World, guardian: str) -> int:
    await world.parts.issuer.issue_ready()
    return sum(e.account == guardian_account(guardian) for e in await world.events(CredentialsIssued))


async def queued(world: World, guardian: str) -> int:
    sql = "select count(*) from private.issuance_queue where holder = $1"
    return int(await world.pool.fetchval(sql, guardian))


async def ordered(world: World, guardian: str) -> int:
    return (await world.issue_at_the_desk(holders=[guardian])).accepted


async def test_who_was_barred_since_is_not_issued_by_the_desk_and_is_once_access_is_back(
    world: World,
) -> None:
    await world.school(PAPER)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil, CONTINUING), linked(father, pupil))
    await world.hear("registry", corrected(father, pupil, data_access=False))
    assert await ordered(world, father) == 0
    assert (await world.issue_at_the_desk()).accepted == 1, "the pupil alone"
    assert await issued_to(world, father) == 0
    await world.hear("registry", corrected(father, pupil, data_access=True))
    assert await refusals(world, father) == [NO_ACCOUNT, BARRED, NO_ACCOUNT]
    assert await ordered(world, father) == 1 and await issued_to(world, father) == 1


async def test_who_is_barred_while_the_desks_order_waits_is_refused_and_waits_no_longer(world: World) -> None:
    await world.school(PAPER, key=False)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil, CONTINUING), linked(father, pupil))
    assert await ordered(world, father) == 1
    await world.hear("registry", corrected(father, pupil, data_access=False))
    assert await queued(world, father) == 0
    await world.publish_key()
    assert await issued_to(world, father) == 0 and await refusals(world, father) == [NO_ACCOUNT, BARRED]


async def test_a_new_arrival_is_barred_while_waiting_and_owed_the_same_when_it_is_over(world: World) -> None:
    await world.school(PAPER, key=False)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    for _ in range(2):
        await world.hear("registry", corrected(father, pupil, data_access=False))
        assert await queued(world, father) == 0
        await world.hear("registry", corrected(father, pupil, data_access=True))
        assert await queued(world, father) == 1
    await world.publish_key()
    assert await issued_to(world, father) == 1 and await refusals(world, father) == [BARRED, BARRED]


async def test_a_correction_in_the_very_batch_of_the_link_counts(world: World) -> None:
    await world.school(PAPER)
    pupil, father = new_id(), new_id()
    told = [
        enrolled(pupil),
        linked(father, pupil, data_access=False),
        corrected(father, pupil, data_access=True),
    ]
    await world.hear("registry", *told)
    assert await issued_to(world, father) == 1
    other, mother = new_id(), new_id()
    await world.hear(
        "registry", linked(mother, other), corrected(mother, other, data_access=False), enrolled(other)
    )
    assert await issued_to(world, mother) == 0 and await refusals(world, mother) == [BARRED]


async def test_the_issuer_refuses_whoever_is_left_with_a_child_they_are_barred_from(world: World) -> None:
    await world.school(PAPER, key=False)
    mine, barred, father = new_id(), new_id(), new_id()
    await world.hear(
        "registry",
        enrolled(mine),
        linked(father, mine),
        enrolled(barred, CONTINUING),
        linked(father, barred, data_access=False),
    )
    assert await queued(world, father) == 1 and not await refusals(world, father), "one child is enough"
    gone = StudentWithdrawn(student=mine, year=YEAR, on=None, reason=EndReason.transfer)
    await world.hear("registry", (f"student/{mine}", gone))
    await world.publish_key()
    assert await issued_to(world, father) == 0
    assert await refusals(world, father) == [BARRED] and await queued(world, father) == 0


async def test_being_barred_from_one_child_takes_nothing_away_where_another_is_open(world: World) -> None:
    await world.school(PAPER)
    mine, other, father = new_id(), new_id(), new_id()
    await world.hear("registry", enrolled(mine, CONTINUING), linked(father, mine))
    await world.hear("registry", enrolled(other), linked(father, other, data_access=False))
    assert await refusals(world, father) == [NO_ACCOUNT]
    assert await ordered(world, father) == 1 and await issued_to(world, father) == 1


async def test_a_correction_of_something_else_says_nothing(world: World) -> None:
    await world.school(PAPER)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil, data_access=False))
    await world.hear("registry", corrected(father, pupil, data_access=False))
    assert await refusals(world, father) == [BARRED]


async def test_whoever_is_issuing_while_the_correction_comes_is_too_late(world: World) -> None:
    await world.school(PAPER, key=False)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    for access in (False, True):
        await world.hear("registry", corrected(father, pupil, data_access=access))
    await world.publish_key()
    draw = world.parts.issuer._issuing.draw

    async def meanwhile(orders: object) -> object:
        drawn = await draw(orders)  # type: ignore[arg-type]
        world.parts.issuer._issuing.draw = draw  # type: ignore[method-assign]
        await world.hear("registry", corrected(father, pupil, data_access=False))
        return drawn

    world.parts.issuer._issuing.draw = meanwhile  # type: ignore[method-assign, assignment]
    assert await issued_to(world, father) == 0 and await queued(world, father) == 0
