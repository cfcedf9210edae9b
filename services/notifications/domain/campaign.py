"""A campaign: from a date on, these classes are issued and sent their credentials, unattended (E1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.contracts.event import Event
from shared.contracts.notifications import (
    CampaignCancelled,
    CampaignCompleted,
    CampaignOpened,
    CampaignPaused,
    CampaignPlanned,
    CampaignResumed,
)
from shared.contracts.policy import HolderRole
from shared.decider import Decider, Refused

MOST_BOUNCES = 0.05
"""Above this share of what was sent, a campaign's addresses are wrong as a whole: somebody must look."""
FEWEST_SENT = 20


class CampaignState(StrEnum):
    unknown = "unknown"
    planned = "planned"
    open = "open"
    paused = "paused"
    completed = "completed"
    cancelled = "cancelled"


ENDED = frozenset({CampaignState.completed, CampaignState.cancelled})
HOLDS = frozenset({CampaignState.planned, CampaignState.paused})
"""Whom such a campaign covers is issued and sent nothing."""


@dataclass(frozen=True, slots=True)
class Campaign:
    state: CampaignState = CampaignState.unknown
    planned: CampaignPlanned | None = None
    opened: bool = False


@dataclass(frozen=True, slots=True)
class PlanCampaign:
    """`classes` empty: the whole school. `opens` in the past: at once."""

    campaign: str
    title: str
    roles: tuple[HolderRole, ...]
    classes: tuple[str, ...]
    opens: datetime
    per_domain_a_minute: int | None = None


@dataclass(frozen=True, slots=True)
class OpenCampaign:
    at: datetime


@dataclass(frozen=True, slots=True)
class PauseCampaign:
    reason: str


@dataclass(frozen=True, slots=True)
class ResumeCampaign:
    pass


@dataclass(frozen=True, slots=True)
class CompleteCampaign:
    sent: int
    failed: int


@dataclass(frozen=True, slots=True)
class CancelCampaign:
    reason: str


Command = PlanCampaign | OpenCampaign | PauseCampaign | ResumeCampaign | CompleteCampaign | CancelCampaign


def decide(state: Campaign, command: Command) -> Sequence[Event]:
    """Raises `Refused`: already_planned, nobody_covered, title_needed, not_planned, ended, reason_needed."""
    if isinstance(command, PlanCampaign):
        return _plan(state, command)
    if state.planned is None:
        raise Refused("not_planned", "There is no such campaign.")
    campaign = state.planned.campaign
    match command:
        case OpenCampaign(at) if state.state is CampaignState.planned and state.planned.opens <= at:
            return (CampaignOpened(campaign=campaign),)
        case CompleteCampaign(sent, failed) if state.state is CampaignState.open:
            return (CampaignCompleted(campaign=campaign, sent=sent, failed=failed),)
        case PauseCampaign() | ResumeCampaign() | CancelCampaign():
            return _steer(state, campaign, command)
    return ()


def _plan(state: Campaign, command: PlanCampaign) -> Sequence[Event]:
    planned = CampaignPlanned(
        campaign=command.campaign,
        title=" ".join(command.title.split()),
        roles=tuple(dict.fromkeys(command.roles)),
        classes=tuple(dict.fromkeys(command.classes)),
        opens=command.opens,
        per_domain_a_minute=command.per_domain_a_minute,
    )
    if state.planned == planned:
        return ()
    if state.planned is not None:
        raise Refused("already_planned", "There is another campaign with this id.")
    if not planned.title:
        raise Refused("title_needed", "A campaign needs a title.")
    if not planned.roles or HolderRole.staff in planned.roles:
        raise Refused("nobody_covered", "A campaign is for guardians, or pupils, or both.")
    return (planned,)


def _steer(
    state: Campaign, campaign: str, command: PauseCampaign | ResumeCampaign | CancelCampaign
) -> Sequence[Event]:
    """What was asked for already is done already."""
    match command:
        case CancelCampaign() if state.state is CampaignState.cancelled:
            return ()
        case _ if state.state in ENDED:
            raise Refused("ended", f"This campaign is {state.state}: nothing of it can be changed.")
        case PauseCampaign(reason) if state.state is not CampaignState.paused:
            return (CampaignPaused(campaign=campaign, reason=_given(reason)),)
        case ResumeCampaign() if state.state is CampaignState.paused:
            return (CampaignResumed(campaign=campaign),)
        case CancelCampaign(reason):
            return (CampaignCancelled(campaign=campaign, reason=_given(reason)),)
    return ()


def _given(reason: str) -> str:
    if not reason.strip():
        raise Refused("reason_needed", "Say why: it stays with the campaign.")
    return reason.strip()


def evolve(state: Campaign, event: Event) -> Campaign:
    match event:
        case CampaignPlanned():
            return Campaign(CampaignState.planned, event)
        case CampaignOpened():
            return replace(state, state=CampaignState.open, opened=True)
        case CampaignResumed():
            return replace(state, state=CampaignState.open if state.opened else CampaignState.planned)
    return replace(state, state=_BECOMES.get(type(event), state.state))


_BECOMES: dict[type[Event], CampaignState] = {
    CampaignPaused: CampaignState.paused,
    CampaignCompleted: CampaignState.completed,
    CampaignCancelled: CampaignState.cancelled,
}


CAMPAIGN: Decider[Campaign, Command] = Decider("campaign", Campaign, decide, evolve)


def bounces_too_often(sent: int, bounced: int) -> bool:
    """Whether so much of what was sent came back that somebody is to be told."""
    return sent >= FEWEST_SENT and bounced > sent * MOST_BOUNCES
