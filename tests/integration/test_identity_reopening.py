"""What was closed is not opened by the way: by a return, by whoever was about to issue, before a campaign's day."""

from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.engines import PostgresEngine
from services.identity import issuer
from services.identity.domain.account import account_id
from services.identity.operations_life import Acting
from services.identity.policies import today_in_rome
from shared.contracts.identity import (
    AccountRevoked,
    AccountRole,
    CredentialsIssued,
    IssuanceRefused,
    LocalCredentialsRetired,
    RevocationReason,
    SuspensionReason,
)
from shared.contracts.policy import PAPER
from shared.contracts.registry import EndReason, EnrolmentKind, IdentityCheck, StudentWithdrawn
from shared.eventstore.commands import Workspace
from shared.ids import new_id
from tests.integration.identity_fixtures import NEXT_YEAR, SCHOOL, YEAR, World, enrolled, identity_world

ACTING = Acting(SCHOOL, "desk-1")


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


async def a_pupil(world: World) -> tuple[str, str]:
    """Person and account of one who was just enrolled."""
    pupil = new_id()
    await world.hear("registry", enrolled(pupil))
    return pupil, account_id(AccountRole.pupil, pupil)


@pytest.mark.requirement("M12", part="who left before the day and comes back after it")
async def test_who_left_and_was_retired_comes_back_without_stopping_anybody(world: World) -> None:
    await world.school(PAPER)
    pupil, account = await a_pupil(world)
    today = today_in_rome(world.store.clock())
    left = StudentWithdrawn(student=pupil, year=YEAR, on=today, reason=EndReason.withdrawal)
    await world.hear("registry", (f"student/{pupil}", left))
    await world.parts.due_dates.once()
    await world.school(PAPER.model_copy(update={"local_credentials_until": today}), key=False)
    await world.parts.due_dates.once()
    assert [e.account for e in await world.events(LocalCredentialsRetired)] == [account]
    other = new_id()
    await world.hear("registry", enrolled(pupil, EnrolmentKind.new_to_the_school, NEXT_YEAR), enrolled(other))
    refused = {(e.holder, e.reason.value) for e in await world.events(IssuanceRefused)}
    assert refused == {(pupil, "local_credentials_ended"), (other, "local_credentials_ended")}
    assert len(await world.events(CredentialsIssued)) == 1
    assert await world.pool.fetchval("select count(*) from private.verifiers") == 0


async def test_who_is_revoked_while_the_issuer_looks_is_issued_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.school(PAPER, key=False)
    _, account = await a_pupil(world)
    life = world.parts.front.life

    class Overtaken(Workspace):
        async def load(self, decider: Any, ids: Collection[str]) -> None:
            await life.revoke(account, RevocationReason.other, "prova", ACTING)
            await super().load(decider, ids)

    await world.publish_key()
    monkeypatch.setattr(issuer, "Workspace", Overtaken)
    await world.parts.issuer.issue_ready()
    assert [e.account for e in await world.events(AccountRevoked)] == [account]
    assert await world.events(CredentialsIssued) == []
    assert await world.pool.fetchval("select count(*) from private.verifiers") == 0


@pytest.mark.requirement("E1", part="whoever was suspended waits for the campaign's day as the others do")
async def test_who_is_reinstated_before_the_campaign_waits_for_it(world: World) -> None:
    opens = today_in_rome(world.store.clock()) + timedelta(days=3)
    await world.school(PAPER.model_copy(update={"campaign_opens": opens}))
    _, account = await a_pupil(world)
    life = world.parts.front.life
    await life.suspend(account, SuspensionReason.barred, "prova", ACTING)
    await life.reinstate(account, "prova", IdentityCheck.known_in_person, ACTING)
    await world.parts.issuer.issue_ready()
    assert await world.events(CredentialsIssued) == []
    world.ahead = timedelta(days=3)
    await world.publish_key(60)
    await world.parts.issuer.issue_ready()
    assert [e.account for e in await world.events(CredentialsIssued)] == [account]
