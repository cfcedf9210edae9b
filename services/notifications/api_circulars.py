"""JSON under /api/notifications/circulars: published, read and withdrawn (P10, E11)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.notifications import queries
from services.notifications import queries_circulars as circulars
from services.notifications.api_texts import not_accepted
from services.notifications.circular_forms import FIELDS, read, written
from services.notifications.circular_views import Publisher, board_of, context_of, number_taken
from services.notifications.desk import NotFound, desk_of
from services.notifications.notice_letters import circular_address
from services.notifications.pages_board import Reader
from services.notifications.queries import School
from services.notifications.queries_circulars import AudienceReads, Circular
from services.notifications.views import school_of
from shared.contracts.notifications import Audience
from shared.decider import Refused
from shared.policies import local_day
from shared.web.actions import Action, may
from shared.web.description import SESSION, problems, secured
from shared.web.i18n import N_, gettext

router = APIRouter(prefix="/api/notifications", tags=["circulars"], responses=problems(401, 403, 503))
_SIGNED_IN = secured(SESSION)
_JSON_NAMES = {italian: name for name, italian in FIELDS.items()} | {"data": "day", "classi": "classes"}


class CircularIn(BaseModel):
    """`text`: plain, paragraphs divided by empty lines. `classes`: only those; none: the whole school."""

    model_config = ConfigDict(extra="forbid")
    number: str = Field(max_length=20)
    day: date
    subject: str = Field(max_length=200)
    text: str = Field(max_length=20_000)
    signed_by: str = Field(max_length=120)
    audiences: list[Audience] = Field(min_length=1, max_length=5)
    classes: list[str] = Field(default=[], max_length=300)


class PublishedOut(BaseModel):
    """`notices`: how many messages were asked for now; none when the very same circular had been published before."""

    circular: str
    address: str
    notices: int


class ReadsOut(BaseModel):
    """`holders` and `by_mail` at publication; `readers` now."""

    audience: Audience
    holders: int
    by_mail: int
    readers: int


class CircularOut(BaseModel):
    """`read_at`: when whoever asks opened it; `as_audience`: as whom it concerns them."""

    circular: str
    number: str
    year: str
    day: date
    subject: str
    signed_by: str
    audiences: list[Audience]
    classes: list[str]
    address: str
    published_at: datetime
    withdrawn_at: datetime | None
    withdrawn_for: str | None
    as_audience: Audience | None
    read_at: datetime | None


class CircularWithText(CircularOut):
    text: str


class CircularAtDesk(CircularWithText):
    """`messages`: how many stand where."""

    reads: list[ReadsOut]
    messages: dict[str, int]


class MemberOut(BaseModel):
    audience: Audience
    holder: str
    name: str
    reachable: bool


class WithdrawalIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


_THE_SAME: dict[int | str, dict[str, Any]] = {
    200: {"model": PublishedOut, "description": "The very same had been published: nothing is sent again."}
}


@router.get("/circulars", openapi_extra=_SIGNED_IN)
async def mine(request: Request, who: Reader) -> list[CircularOut]:
    """Those that concern whoever is signed in, the newest first."""
    school = await _own_school(request, who.school)
    found = await circulars.of_reader(desk_of(request).commands.store.pool, who)
    return [CircularOut(**_told(request, school, one)) for one in found]


@router.get("/circulars/published", openapi_extra=_SIGNED_IN)
async def published(request: Request, who: Publisher) -> list[CircularAtDesk]:
    """All of the school's, with how many have read them. For the office."""
    school = await school_of(desk_of(request), who)
    found = await circulars.of_school(desk_of(request).commands.store.pool, school.code)
    return await _at_desk(request, school, found)


@router.post(
    "/circulars",
    status_code=201,
    openapi_extra=_SIGNED_IN,
    responses=problems(409, 422) | _THE_SAME,
)
async def publish(request: Request, who: Publisher, body: CircularIn, response: Response) -> PublishedOut:
    """Publishes at once, to everybody of its audiences. A number is given once in a school year: the very same circular
    again gets 200 and sends nothing; another with that number 409."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    raw = written(
        numero=body.number,
        data=body.day.isoformat(),
        oggetto=body.subject,
        testo=body.text,
        firma=body.signed_by,
        destinatari=[audience.value for audience in body.audiences],
        classi=body.classes,
    )
    of_school = await queries.classes(desk.commands.store.pool, school.code)
    found = read(raw, of_school, local_day(desk.now))
    unknown = set(body.classes) - {c.id for c in of_school}
    if found.content is None or unknown:
        wrong = {_JSON_NAMES.get(name, name): text for name, text in found.errors.items()}
        if unknown:
            wrong["classes"] = gettext(N_("Una delle classi non esiste in questa scuola."))
        raise not_accepted(wrong)
    try:
        done = await board_of(request).publish(school.code, found.content, context_of(request, who))
    except Refused:
        raise number_taken() from None
    if not done.fresh:
        response.status_code = 200
    address = circular_address(desk.site_url, school.customer_id, done.circular)
    return PublishedOut(circular=done.circular, address=address, notices=done.notices)


@router.get("/circulars/{circular}", openapi_extra=_SIGNED_IN, responses=problems(404))
async def show(request: Request, who: Reader, circular: str) -> CircularWithText:
    """One circular with its text. Seeing it here is not reading it: see `POST …/read`."""
    school = await _own_school(request, who.school)
    one = await _concerning(request, who, circular)
    return CircularWithText(**_told(request, school, one), text=one.text)


@router.post("/circulars/{circular}/read", openapi_extra=_SIGNED_IN, responses=problems(404), status_code=204)
async def mark_read(request: Request, who: Reader, circular: str) -> None:
    """Whoever is signed in has read it: written down once."""
    one = await _concerning(request, who, circular)
    await board_of(request).read(one, who, context_of(request, who))


@router.get("/circulars/{circular}/unread", openapi_extra=_SIGNED_IN, responses=problems(404))
async def unread(
    request: Request, who: Publisher, circular: str, audience: Annotated[Audience | None, Query()] = None
) -> list[MemberOut]:
    """Who of its audiences has not opened it yet. For the office."""
    pool = desk_of(request).commands.store.pool
    one = await circulars.one_of_school(pool, who.school, circular)
    if one is None:
        raise NotFound()
    return [
        MemberOut(
            audience=group, holder=member.holder, name=member.name, reachable=member.address is not None
        )
        for group, members in (await circulars.unread(pool, one)).items()
        if audience in (None, group)
        for member in members
    ]


@router.post(
    "/circulars/{circular}/withdrawal",
    openapi_extra=_SIGNED_IN,
    responses=problems(404, 422),
    status_code=204,
)
async def withdraw(request: Request, who: Publisher, circular: str, body: WithdrawalIn) -> None:
    """Withdrawn once, with the reason that whoever opens it reads."""
    one = await circulars.one_of_school(desk_of(request).commands.store.pool, who.school, circular)
    if one is None:
        raise NotFound()
    try:
        await board_of(request).withdraw(one, body.reason, context_of(request, who))
    except Refused:
        raise not_accepted({"reason": gettext(N_("Scriva il motivo."))}) from None


async def _concerning(request: Request, who: Reader, circular: str) -> Circular:
    """As the pages have it: to whom it is not addressed, it does not exist; the office sees all."""
    pool = desk_of(request).commands.store.pool
    for one in await circulars.of_reader(pool, who, circular):
        return one
    found = await circulars.one_of_school(pool, who.school, circular)
    if found is None or not (found.public or may(who, Action.publish_circulars)):
        raise NotFound()
    return found


async def _own_school(request: Request, code: str) -> School:
    desk = desk_of(request)
    school = await queries.school(desk.commands.store.pool, code, desk.now)
    if school is None:
        raise NotFound()
    return school


async def _at_desk(request: Request, school: School, found: Sequence[Circular]) -> list[CircularAtDesk]:
    pool = desk_of(request).commands.store.pool
    reads = await circulars.reads(pool, found)
    messages = await circulars.notices(pool, [one.id for one in found])
    return [
        CircularAtDesk(
            **_told(request, school, one),
            text=one.text,
            reads=[_reads(group) for group in reads[one.id]],
            messages=dict(messages[one.id]),
        )
        for one in found
    ]


def _reads(group: AudienceReads) -> ReadsOut:
    return ReadsOut(
        audience=group.audience, holders=group.holders, by_mail=group.by_mail, readers=group.readers
    )


def _told(request: Request, school: School, one: Circular) -> dict[str, object]:
    return {
        "circular": one.id,
        "number": one.number,
        "year": one.year,
        "day": one.day,
        "subject": one.subject,
        "signed_by": one.signed_by,
        "audiences": list(one.audience.audiences),
        "classes": list(one.audience.classes),
        "address": circular_address(desk_of(request).site_url, school.customer_id, one.id),
        "published_at": one.published_at,
        "withdrawn_at": one.withdrawn_at,
        "withdrawn_for": one.withdrawn_for,
        "as_audience": one.as_audience,
        "read_at": one.read_at,
    }
