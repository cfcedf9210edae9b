"""What the desk does with campaigns: plan, pause, resume, cancel (E1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from shared.text import Unusable, tidy

LONGEST_TITLE = 120
LONGEST_PAST = timedelta(days=7)
"""A campaign may be said to have opened so long ago; what is further back was mistyped."""
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


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
    nobody_covered, unknown_class, text_unusable, no_such_day, long_past; `IdempotencyKeyReused`."""
    await check(desk, by, what)
    named = new_id()
    command = PlanCampaign(
        named,
        _text(what.title),
        tuple(what.roles),
        tuple(what.classes),
        what.opens.astimezone(UTC),
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


async def check(desk: Desk, by: By, what: Plan) -> None:
    """Whether it could be planned. Raises `Refused`: unknown_class, text_unusable, no_such_day, long_past."""
    _text(what.title)
    if not EARLIEST <= what.opens <= LATEST:
        raise Refused("no_such_day", "A campaign opens on a day of this century.")
    if what.opens < desk.now - LONGEST_PAST:
        raise Refused("long_past", "A campaign opens from a week ago on.")
    if await unknown_classes(desk.commands.store.pool, by.school, what.classes):
        raise Refused("unknown_class", "One of these classes is not the school's.")


async def pause(desk: Desk, by: By, campaign_id: str, reason: str) -> None:
    """Raises `NoSuchCampaign`, `Refused`: reason_needed, text_unusable, ended."""
    await _steer(desk, by, campaign_id, PauseCampaign(_text(reason)))


async def resume(desk: Desk, by: By, campaign_id: str) -> None:
    """Raises `NoSuchCampaign`, `Refused`: ended."""
    await _steer(desk, by, campaign_id, ResumeCampaign())


async def cancel(desk: Desk, by: By, campaign_id: str, reason: str) -> None:
    """Raises `NoSuchCampaign`, `Refused`: reason_needed, text_unusable, ended."""
    await _steer(desk, by, campaign_id, CancelCampaign(_text(reason)))


async def known(desk: Desk, by: By, campaign_id: str) -> CampaignRow:
    """Raises `NoSuchCampaign`."""
    found = await campaign(desk.commands.store.pool, by.school, campaign_id)
    if found is None:
        raise NoSuchCampaign
    return found


def _text(text: str) -> str:
    try:
        return tidy(text)[0]
    except Unusable as unusable:
        raise Refused("text_unusable", str(unusable)) from None


async def _steer(desk: Desk, by: By, campaign_id: str, command: Any) -> None:
    await known(desk, by, campaign_id)
    await desk.commands.execute(CAMPAIGN, campaign_id, command, school=by.school, context=by.context())
