"""What the desk does with campaigns: plan, pause, resume, cancel (E1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.notifications.campaigns import CampaignRow, campaign, unknown_classes
from services.notifications.domain.campaign import (
    CAMPAIGN,
    CancelCampaign,
    PauseCampaign,
    PlanCampaign,
    ResumeCampaign,
)
from services.notifications.operations import Desk
from shared.contracts.event import Context
from shared.contracts.policy import HolderRole
from shared.decider import Refused
from shared.eventstore.units import IdempotencyKey
from shared.ids import new_id

LONGEST_TITLE = 120


class NoSuchCampaign(Exception):
    """For whoever asks it does not exist."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`classes` empty: the whole school, those included who are enrolled later."""

    title: str
    roles: Sequence[HolderRole]
    classes: Sequence[str]
    opens: datetime
    per_domain_a_minute: int | None = None


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and in which request."""

    school: str
    actor: str
    traceparent: str | None = None

    def context(self) -> Context:
        return Context(actor=self.actor, correlation=new_id(), traceparent=self.traceparent)


async def plan(desk: Desk, by: By, what: Plan, key: IdempotencyKey | None = None) -> str:
    """The new campaign's id; with a repeated key, that of the first time. Raises `Refused`: title_needed,
    nobody_covered, unknown_class; `IdempotencyKeyReused`."""
    if await unknown_classes(desk.commands.store.pool, by.school, what.classes):
        raise Refused("unknown_class", "One of these classes is not the school's.")
    named = new_id()
    command = PlanCampaign(
        named,
        what.title[:LONGEST_TITLE],
        tuple(what.roles),
        tuple(what.classes),
        what.opens,
        what.per_domain_a_minute,
    )
    done = await desk.commands.execute(
        CAMPAIGN,
        named,
        command,
        school=by.school,
        context=by.context(),
        idempotency=key,
        result={"campaign": named},
    )
    return str(done.result["campaign"])


async def pause(desk: Desk, by: By, campaign_id: str, reason: str) -> None:
    """Raises `NoSuchCampaign`, `Refused`: reason_needed, ended."""
    await _steer(desk, by, campaign_id, PauseCampaign(reason))


async def resume(desk: Desk, by: By, campaign_id: str) -> None:
    """Raises `NoSuchCampaign`, `Refused`: ended."""
    await _steer(desk, by, campaign_id, ResumeCampaign())


async def cancel(desk: Desk, by: By, campaign_id: str, reason: str) -> None:
    """Raises `NoSuchCampaign`, `Refused`: reason_needed, ended."""
    await _steer(desk, by, campaign_id, CancelCampaign(reason))


async def known(desk: Desk, by: By, campaign_id: str) -> CampaignRow:
    """Raises `NoSuchCampaign`."""
    found = await campaign(desk.commands.store.pool, by.school, campaign_id)
    if found is None:
        raise NoSuchCampaign
    return found


async def _steer(desk: Desk, by: By, campaign_id: str, command: Any) -> None:
    await known(desk, by, campaign_id)
    await desk.commands.execute(CAMPAIGN, campaign_id, command, school=by.school, context=by.context())
