"""JSON under /api/notifications/campaigns: plan, follow, pause, resume, cancel (E1)."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Header, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from services.notifications import campaigns
from services.notifications.campaigns import CampaignRow, Outcome, Progress
from services.notifications.desk import DeskUser, NotFound, desk_of
from services.notifications.domain.campaign import CampaignState
from services.notifications.operations_campaigns import (
    LONGEST_TITLE,
    By,
    NoSuchCampaign,
    Plan,
    cancel,
    check,
    known,
    pause,
    plan,
    resume,
)
from services.notifications.views import school_of, traceparent
from shared.contracts.policy import HolderRole
from shared.decider import Refused
from shared.eventstore.units import IdempotencyKey, IdempotencyKeyReused
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured
from shared.web.errors import Problem
from shared.web.i18n import N_

router = APIRouter(
    prefix="/api/notifications/campaigns", tags=["notifications"], responses=problems(401, 403, 503)
)
Running = Annotated[DeskUser, Depends(allowed(Action.run_campaigns))]
_SIGNED_IN = secured(SESSION)
REFUSED = {
    "title_needed": N_("Dia un titolo alla campagna."),
    "nobody_covered": N_("Scelga per chi è la campagna."),
    "unknown_class": N_("Una delle classi scelte non è della scuola."),
    "reason_needed": N_("Scriva il motivo: resta con la campagna."),
    "text_unusable": N_("Il testo contiene un carattere che non si può usare: lo riscriva."),
    "no_such_day": N_("Scelga una data di questo secolo."),
    "long_past": N_(
        "La data è passata da più di sette giorni: la controlli. Per aprire subito, scelga oggi."
    ),
    "ended": N_("Questa campagna è già finita."),
}


def _written(value: object) -> object:
    """A moment is written as RFC 3339 has it: a number is none."""
    if not isinstance(value, str):
        raise ValueError("a moment is a text")
    return value


_Role = Literal[HolderRole.guardian, HolderRole.pupil_under_age, HolderRole.pupil_of_age]
_Moment = Annotated[AwareDatetime, BeforeValidator(_written)]


class CampaignPlan(BaseModel):
    """`classes` empty: the whole school, those included who are enrolled later. `opens` in the past, a week at most: at once.
    `per_domain_a_minute`: messages to one mail domain at most."""

    model_config = ConfigDict(extra="forbid")
    title: str = Field(min_length=1, max_length=LONGEST_TITLE)
    roles: list[_Role] = Field(min_length=1, max_length=3)
    classes: list[str] = Field(default_factory=list, max_length=500)
    opens: _Moment
    per_domain_a_minute: int | None = Field(default=None, ge=1, le=10_000)

    def plan(self) -> Plan:
        return Plan(self.title, self.roles, self.classes, self.opens, self.per_domain_a_minute)


class ReasonBody(BaseModel):
    """Free text; of nobody's person."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


class PreviewOut(BaseModel):
    """Whom it would reach as things stand: see `campaigns.Preview`."""

    people: dict[HolderRole, int]
    classes: int
    without_address: int
    without_mailbox: int
    served: int


class CampaignOut(BaseModel):
    campaign: str
    title: str
    roles: list[HolderRole]
    classes: list[str]
    opens: datetime
    per_domain_a_minute: int | None
    state: CampaignState
    planned_at: datetime
    opened_at: datetime | None
    ended_at: datetime | None
    reason: str | None


class ClassProgressOut(BaseModel):
    class_id: str
    title: str
    outcomes: dict[Outcome, int]


class ProgressOut(CampaignOut):
    """`outcomes`: each holder once; by class, also those who have children in several."""

    total: int
    outcomes: dict[Outcome, int]
    by_class: list[ClassProgressOut]


@router.get("", openapi_extra=_SIGNED_IN)
async def list_campaigns(request: Request, who: Running) -> list[CampaignOut]:
    """The school's campaigns, the newest first."""
    found = await campaigns.campaigns(desk_of(request).commands.store.pool, who.school)
    return [_out(one) for one in found]


@router.post("/preview", responses=problems(422), openapi_extra=_SIGNED_IN)
async def preview_campaign(
    request: Request, who: Running, body: Annotated[CampaignPlan, Body()]
) -> PreviewOut:
    """Whom it would reach, before anything is planned."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    try:
        await check(desk, by_of(request, who), body.plan())
    except Refused as refused:
        raise refusal(refused) from None
    seen = await campaigns.preview(
        desk.commands.store.pool, school.code, body.roles, body.classes, school.policy, desk.now
    )
    return PreviewOut(
        people=dict(seen.people),
        classes=seen.classes,
        without_address=seen.without_address,
        without_mailbox=seen.without_mailbox,
        served=seen.served,
    )


@router.post("", status_code=201, responses=problems(409, 422), openapi_extra=_SIGNED_IN)
async def plan_campaign(
    request: Request,
    who: Running,
    body: Annotated[CampaignPlan, Body()],
    idempotency_key: Annotated[str | None, Header(min_length=8, max_length=200)] = None,
) -> CampaignOut:
    """Planned: from now on nobody whom it covers is issued to before it opens."""
    by, key = by_of(request, who), None
    if idempotency_key is not None:
        fingerprint = hashlib.sha256(body.model_dump_json().encode()).digest()
        key = IdempotencyKey(f"campaign/{who.school}", idempotency_key, fingerprint)
    try:
        named = await plan(desk_of(request), by, body.plan(), key)
    except Refused as refused:
        raise refusal(refused) from None
    except IdempotencyKeyReused:
        raise Problem(
            409,
            "idempotency-key-reused",
            N_("Richiesta già usata"),
            N_("La stessa chiave era già stata usata per un’altra richiesta."),
        ) from None
    return _out(await known(desk_of(request), by, named))


@router.get("/{campaign}", responses=problems(404), openapi_extra=_SIGNED_IN)
async def follow_campaign(request: Request, who: Running, campaign: str) -> ProgressOut:
    """One campaign with what became of everybody whom it covers."""
    desk = desk_of(request)
    try:
        one = await known(desk, by_of(request, who), campaign)
    except NoSuchCampaign:
        raise NotFound() from None
    return _with_progress(one, await campaigns.progress(desk.commands.store.pool, one, desk.now))


@router.post("/{campaign}/pause", responses=problems(404, 409, 422), openapi_extra=_SIGNED_IN)
async def pause_campaign(
    request: Request, who: Running, campaign: str, body: Annotated[ReasonBody, Body()]
) -> CampaignOut:
    """Nothing more is issued or sent for it; what was on its way arrives."""
    return await _steered(request, who, campaign, "pause", body.reason)


@router.post(
    "/{campaign}/resume", name="api_resume_campaign", responses=problems(404, 409), openapi_extra=_SIGNED_IN
)
async def resume_campaign(request: Request, who: Running, campaign: str) -> CampaignOut:
    """It goes on; one that was paused before its date waits for that."""
    return await _steered(request, who, campaign, "resume")


@router.post("/{campaign}/cancel", responses=problems(404, 409, 422), openapi_extra=_SIGNED_IN)
async def cancel_campaign(
    request: Request, who: Running, campaign: str, body: Annotated[ReasonBody, Body()]
) -> CampaignOut:
    """It holds nobody back any more: who waits for it is issued to as the school's policy says, at once if no other
    campaign holds them."""
    return await _steered(request, who, campaign, "cancel", body.reason)


async def _steered(request: Request, who: DeskUser, campaign: str, act: str, reason: str = "") -> CampaignOut:
    await steer(request, who, campaign, act, reason)
    return _out(await known(desk_of(request), by_of(request, who), campaign))


async def steer(request: Request, who: DeskUser, campaign: str, act: str, reason: str = "") -> None:
    """`act`: pause, resume or cancel. Raises `Problem`, and `Refused` for a reason that is missing."""
    desk, by = desk_of(request), by_of(request, who)
    try:
        match act:
            case "pause":
                await pause(desk, by, campaign, reason)
            case "resume":
                await resume(desk, by, campaign)
            case _:
                await cancel(desk, by, campaign, reason)
    except NoSuchCampaign:
        raise NotFound() from None
    except Refused as refused:
        raise refusal(refused) from None


def by_of(request: Request, who: DeskUser) -> By:
    return By(who.school, who.account_id, traceparent(request))


def refusal(refused: Refused) -> Problem:
    """409 for what the campaign's state forbids, 422 for what was not well asked."""
    status = 409 if refused.reason == "ended" else 422
    slug = refused.reason.replace("_", "-")
    return Problem(status, slug, N_("La campagna non si può cambiare così"), REFUSED.get(refused.reason, ""))


def _out(one: CampaignRow) -> CampaignOut:
    return CampaignOut.model_validate(_fields(one))


def _fields(one: CampaignRow) -> dict[str, object]:
    return {
        "campaign": one.id,
        "title": one.title,
        "roles": list(one.roles),
        "classes": list(one.classes),
        "opens": one.opens,
        "per_domain_a_minute": one.per_domain_a_minute,
        "state": one.state,
        "planned_at": one.planned_at,
        "opened_at": one.opened_at,
        "ended_at": one.ended_at,
        "reason": one.reason,
    }


def _with_progress(one: CampaignRow, seen: Progress) -> ProgressOut:
    by_class = [
        ClassProgressOut(class_id=c.school_class.id, title=c.school_class.title, outcomes=dict(c.outcomes))
        for c in seen.classes
    ]
    told = {"total": seen.total, "outcomes": dict(seen.outcomes), "by_class": by_class}
    return ProgressOut.model_validate({**_fields(one), **told})
