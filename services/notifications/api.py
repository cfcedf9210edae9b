"""JSON under /api/notifications, for programs of the school's own staff: classes, states, deliveries."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from services.notifications import queries
from services.notifications.desk import NotFound, Who, desk_of
from services.notifications.domain.delivery import Status
from services.notifications.domain.states import State, Step
from shared.contracts.notifications import DeliveryProblem, PrintingReason, ResendingReason
from shared.contracts.policy import Channel
from shared.web.description import SESSION, problems, secured

router = APIRouter(prefix="/api/notifications", tags=["notifications"], responses=problems(401, 403, 503))
_SIGNED_IN = secured(SESSION)


class ClassOut(BaseModel):
    """`states`: how many credentials of the class are in which state."""

    class_id: str
    year: str
    title: str
    holders: int
    states: dict[State, int]


class HolderOut(BaseModel):
    """`delivery` is the newest one; `of_whom` a guardian's pupils in the class."""

    holder: str
    account: str | None
    role: str
    name: str
    of_whom: list[str]
    channel: Channel | None
    state: State
    next_step: Step
    expires: datetime | None
    delivery: str | None


class DeliveryOut(BaseModel):
    delivery: str
    holder: str
    credential: str
    generation: int
    channel: Channel
    exclusive: bool
    expires: datetime
    status: Status
    problem: DeliveryProblem | None
    code: int | None
    attempts: int
    printings: int
    retry_at: datetime | None
    requested_at: datetime
    changed_at: datetime


class StepOut(BaseModel):
    """A mail that was tried, with the server's reply code; that it was asked for anew, or a slip that was printed, with
    the reason."""

    kind: str
    number: int
    at: datetime
    outcome: str | None
    ended_at: datetime | None
    code: int | None
    problem: DeliveryProblem | None
    retry_at: datetime | None
    reason: PrintingReason | ResendingReason | None


class DeliveryWithSteps(DeliveryOut):
    steps: list[StepOut]


class DeliveryPage(BaseModel):
    """`next`: what to give as `before` for the following page; None at the end."""

    deliveries: list[DeliveryOut]
    next: str | None


@router.get("/classes", name="api_classes", openapi_extra=_SIGNED_IN)
async def classes(request: Request, who: Who, year: str | None = None) -> list[ClassOut]:
    """The school's classes, of one year or of all."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    found = [c for c in await queries.classes(pool, who.school) if year in (None, c.year)]
    return [
        ClassOut(
            class_id=c.school_class.id,
            year=c.school_class.year,
            title=c.school_class.title,
            holders=c.holders,
            states=dict(c.states),
        )
        for c in await queries.counts(pool, found, desk.now)
    ]


@router.get("/classes/{class_id}/holders", openapi_extra=_SIGNED_IN)
async def holders(request: Request, who: Who, class_id: str, state: State | None = None) -> list[HolderOut]:
    """Every holder of a class with the state of the credential, in the order of the class list."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    if await queries.school_class(pool, class_id, who.school) is None:
        raise NotFound()
    return [
        HolderOut(
            holder=h.id,
            account=h.account,
            role=h.role,
            name=h.name,
            of_whom=list(h.of_whom),
            channel=h.facts.channel,
            state=h.standing.state,
            next_step=h.standing.step,
            expires=h.facts.expires,
            delivery=h.delivery.delivery if h.delivery else None,
        )
        for h in await queries.holders(pool, [class_id], desk.now)
        if state in (None, h.standing.state)
    ]


@router.get("/deliveries", openapi_extra=_SIGNED_IN)
async def deliveries(
    request: Request,
    who: Who,
    status: Status | None = None,
    before: Annotated[str | None, Query(max_length=100, pattern=r"^[0-9T:.+Z-]+,[0-9a-f-]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryPage:
    """The school's deliveries, the newest first."""
    found = await queries.deliveries(
        desk_of(request).commands.store.pool,
        who.school,
        status.value if status else None,
        _place(before),
        limit,
    )
    last = found[-1] if len(found) == limit else None
    return DeliveryPage(
        deliveries=[DeliveryOut.model_validate(row) for row in found],
        next=f"{last['requested_at'].isoformat().replace('+00:00', 'Z')},{last['delivery']}"
        if last
        else None,
    )


@router.get("/deliveries/{delivery}", name="api_delivery", openapi_extra=_SIGNED_IN)
async def delivery(request: Request, who: Who, delivery: str) -> DeliveryWithSteps:
    """One delivery with everything that was done for it."""
    pool = desk_of(request).commands.store.pool
    found = await queries.delivery(pool, delivery, who.school)
    if found is None:
        raise NotFound()
    steps = [
        StepOut(
            kind=s.kind,
            number=s.number,
            at=s.at,
            outcome=s.outcome,
            ended_at=s.ended_at,
            code=s.code,
            problem=DeliveryProblem(s.problem) if s.problem else None,
            retry_at=s.retry_at,
            reason=_reason(s),
        )
        for s in await queries.steps(pool, delivery)
    ]
    return DeliveryWithSteps.model_validate({**found, "steps": steps})


def _reason(step: queries.DeliveryStep) -> PrintingReason | ResendingReason | None:
    if step.reason is None:
        return None
    return ResendingReason(step.reason) if step.kind == "resend" else PrintingReason(step.reason)


def _place(before: str | None) -> tuple[datetime, str] | None:
    if before is None:
        return None
    at, _, delivery = before.partition(",")
    try:
        return datetime.fromisoformat(at), delivery
    except ValueError:
        return None
