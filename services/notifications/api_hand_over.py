"""JSON under /api/notifications: the register of hand-overs, and alerts (P5, P11)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.notifications.desk import DeskUser, NotFound, desk_of
from services.notifications.handing_over import (
    InClass,
    class_of_slip,
    class_to_hand_over,
    problem,
    slip_to_hand_over,
)
from services.notifications.notes import Written
from services.notifications.operations import ChangedMeanwhile, Desk
from services.notifications.operations_alerts import AlertRow, NoSuchAlert, alerts, settle
from services.notifications.operations_hand_over import Giving, NoSuchSlip, hand_over, undo_hand_over
from services.notifications.slips import SlipOfHolder, slips_of_class
from services.notifications.views import traceparent
from shared.contracts.notifications import AlertKind, HandedTo, HandOverBy
from shared.decider import Refused
from shared.eventstore.units import ConcurrencyConflict
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured

router = APIRouter(prefix="/api/notifications", tags=["hand-overs"], responses=problems(401, 403, 503))
_SIGNED_IN = secured(SESSION)
Settling = Annotated[DeskUser, Depends(allowed(Action.settle_alerts))]
Id = Annotated[str, Field(min_length=1, max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class HandedOverOut(BaseModel):
    """`class_id`: None at the desk. `delegate`: who took it for another."""

    at: datetime
    class_id: str | None
    to: HandedTo
    by: HandOverBy
    delegate: str | None
    by_whom: str | None


class SlipOut(BaseModel):
    """A printed slip. `serves`: its password opens the account still. `handed_over`: None while it is here."""

    delivery: str
    holder: str
    role: str
    name: str
    pupils: list[str]
    expires: datetime
    serves: bool
    handed_over: HandedOverOut | None


class ClassHandOvers(BaseModel):
    """`left`: how many printed slips that serve are still to be handed over."""

    class_id: str
    left: int
    slips: list[SlipOut]


class HandOverOfClass(_Body):
    """`delegate`: the name, where `to` is delegate. `by`: `tick` now, `list` from the signed paper."""

    deliveries: list[Id] = Field(min_length=1, max_length=1000)
    to: HandedTo
    by: HandOverBy = HandOverBy.tick
    delegate: Written | None = None


class HandOverOfSlip(_Body):
    """`class_id`: in which class; left out, in the teacher’s own, or at the desk. `by`: `scan` only where the sheet was
    scanned."""

    to: HandedTo
    by: HandOverBy = HandOverBy.tick
    class_id: Id | None = None
    delegate: Written | None = None


class Undoing(_Body):
    reason: Written


class HandedOverNow(BaseModel):
    """`already`: so recorded before. `refused`: by delivery, why not."""

    recorded: list[str]
    already: list[str]
    refused: dict[str, str]


class AlertOut(BaseModel):
    """`about`: the credential or the campaign. `account`: where the credential is a holder's."""

    alert: str
    kind: AlertKind
    about: str
    account: str | None
    holder: str | None
    name: str | None
    raised_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    note: str | None


class Settlement(_Body):
    note: Written


@router.get("/classes/{class_id}/hand-overs", openapi_extra=_SIGNED_IN)
async def of_class(request: Request, who: InClass, class_id: str) -> ClassHandOvers:
    """The printed slips of a class, in the order of the class list: for the desk, and for its teachers."""
    desk = desk_of(request)
    school, one = await class_to_hand_over(desk, who, class_id)
    found = await slips_of_class(desk.commands.store.pool, one.id, school.code)
    left = sum(slip.open(desk.now) for slip in found)
    return ClassHandOvers(class_id=one.id, left=left, slips=[_out(desk, slip) for slip in found])


@router.post("/classes/{class_id}/hand-overs", responses=problems(409), openapi_extra=_SIGNED_IN)
async def in_class(request: Request, who: InClass, class_id: str, body: HandOverOfClass) -> HandedOverNow:
    """Hand over in a class. A repeat records nothing anew; what cannot be handed over leaves the others alone."""
    desk = desk_of(request)
    school, one = await class_to_hand_over(desk, who, class_id)
    giving = Giving(
        school=school.code,
        class_id=one.id,
        to=body.to,
        by=body.by,
        delegate=body.delegate,
        actor=who.account_id,
        traceparent=traceparent(request),
    )
    try:
        given = await hand_over(desk, body.deliveries, giving)
    except (NoSuchSlip, ChangedMeanwhile) as trouble:
        raise problem(trouble) from None
    return HandedOverNow(
        recorded=list(given.recorded), already=list(given.already), refused=dict(given.refused)
    )


@router.get("/deliveries/{delivery}/hand-over", openapi_extra=_SIGNED_IN)
async def of_slip(request: Request, who: InClass, delivery: str) -> SlipOut:
    """One printed slip, and what became of it."""
    desk = desk_of(request)
    _, slip, _ = await slip_to_hand_over(desk, who, delivery)
    return _out(desk, slip)


@router.post("/deliveries/{delivery}/hand-over", responses=problems(409), openapi_extra=_SIGNED_IN)
async def one_slip(request: Request, who: InClass, delivery: str, body: HandOverOfSlip) -> SlipOut:
    """Hand one slip over, in a class or at the desk. Said again in the same words it stands as it is."""
    desk = desk_of(request)
    _, slip, where = await slip_to_hand_over(desk, who, delivery)
    if body.class_id is not None and (where is None or where.id != body.class_id):
        await class_to_hand_over(desk, who, body.class_id)
        where = await class_of_slip(desk, who, slip, body.class_id)
    giving = Giving(
        school=who.school,
        class_id=where.id if where else None,
        to=body.to,
        by=body.by,
        delegate=body.delegate,
        actor=who.account_id,
        traceparent=traceparent(request),
    )
    try:
        given = await hand_over(desk, [delivery], giving)
    except (NoSuchSlip, ChangedMeanwhile) as trouble:
        raise problem(trouble) from None
    if given.refused:
        raise problem(Refused(given.refused[delivery], ""))
    return await of_slip(request, who, delivery)


@router.post("/deliveries/{delivery}/hand-over/undo", responses=problems(409), openapi_extra=_SIGNED_IN)
async def undo(request: Request, who: InClass, delivery: str, body: Undoing) -> SlipOut:
    """Undo a hand-over that was recorded by mistake: the slip is to be handed over again, and cannot be reprinted."""
    desk = desk_of(request)
    await slip_to_hand_over(desk, who, delivery)
    try:
        await undo_hand_over(
            desk,
            delivery,
            body.reason,
            school=who.school,
            actor=who.account_id,
            traceparent=traceparent(request),
        )
    except (NoSuchSlip, Refused) as trouble:
        raise problem(trouble) from None
    except ConcurrencyConflict:
        raise problem(ChangedMeanwhile()) from None
    return await of_slip(request, who, delivery)


@router.get("/alerts", openapi_extra=_SIGNED_IN)
async def show_alerts(request: Request, who: Settling) -> list[AlertOut]:
    """All open alerts of the school, the oldest first, and the last fifty that were settled."""
    return [_alert(one) for one in await alerts(desk_of(request).commands.store.pool, who.school)]


@router.post("/alerts/{alert}/settlement", name="api_settle_alert", status_code=204, openapi_extra=_SIGNED_IN)
async def settle_alert(request: Request, who: Settling, alert: str, body: Settlement) -> None:
    """Somebody has looked at it; the note says what came out. Settled again, nothing happens."""
    try:
        await settle(
            desk_of(request),
            alert,
            body.note,
            school=who.school,
            actor=who.account_id,
            person=who.person_id,
            traceparent=traceparent(request),
        )
    except NoSuchAlert:
        raise NotFound() from None
    except Refused as refusal:
        raise problem(refusal) from None


def _out(desk: Desk, slip: SlipOfHolder) -> SlipOut:
    handed = slip.handed_over
    return SlipOut(
        delivery=slip.delivery,
        holder=slip.holder,
        role=slip.role,
        name=slip.name,
        pupils=[pupil.name for pupil in slip.pupils] if slip.role != "pupil" else [],
        expires=slip.expires,
        serves=slip.current and slip.expires > desk.now,
        handed_over=HandedOverOut(
            at=handed.at,
            class_id=handed.class_id,
            to=handed.to,
            by=handed.by,
            delegate=handed.delegate or None,
            by_whom=handed.by_whom or None,
        )
        if handed
        else None,
    )


def _alert(one: AlertRow) -> AlertOut:
    return AlertOut(
        alert=one.alert,
        kind=one.kind,
        about=one.about,
        account=one.account,
        holder=one.holder,
        name=one.name or None,
        raised_at=one.raised_at,
        settled_at=one.settled_at,
        settled_by=one.settled_by or None,
        note=one.note or None,
    )
