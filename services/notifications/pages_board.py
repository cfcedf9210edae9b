"""Circulars where they are read: /circolari/ for who is signed in, /circolari/<school>/ for everybody (P10, E11).

One address a circular, whoever opens it: a public one is shown to all; any other to the school's own people whom it
concerns, signed in. What they open, they have read. To whom a circular is not addressed, it does not exist.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, Response

from services.notifications import labels_circulars, queries
from services.notifications import queries_circulars as circulars
from services.notifications.circular_views import board_of, context_of, titles_of
from services.notifications.desk import NotFound, desk_of
from services.notifications.domain.circular import paragraphs
from services.notifications.queries import School
from services.notifications.queries_circulars import Circular, content_of
from services.notifications.views import pdf_headers
from shared.web.actions import Action, allowed, may
from shared.web.navigation import navigation_of
from shared.web.sessions import Principal, principal_of
from shared.web.state import web_state
from shared.web.templating import SchoolFront

router = APIRouter(prefix="/circolari", include_in_schema=False)
Reader = Annotated[Principal, Depends(allowed(Action.read_circulars))]
_reader = allowed(Action.read_circulars)


@router.get("/", name="circulars")
async def mine(request: Request, who: Reader) -> HTMLResponse:
    """Those that concern whoever is signed in, unread ones first."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    school = await queries.school(pool, who.school, desk.now)
    if school is None:
        raise NotFound()
    found = await circulars.of_reader(pool, who)
    return _render(
        request,
        "circulars.html",
        school,
        who,
        unread=[c for c in found if c.read_at is None and c.withdrawn_at is None],
        others=[c for c in found if c.read_at is not None or c.withdrawn_at is not None],
    )


@router.get("/{customer_id}/", name="circulars_public")
async def public(request: Request, customer_id: str) -> HTMLResponse:
    """What a school has published to everybody; nobody is asked who they are."""
    desk = desk_of(request)
    school = await _school(request, customer_id)
    found = await circulars.of_school(desk.commands.store.pool, school.code, public_only=True)
    who = await principal_of(request)
    return _render(request, "circulars_public.html", school, who, circulars=found)


@router.get("/{customer_id}/{circular}", name="circular")
async def show(request: Request, customer_id: str, circular: str) -> HTMLResponse:
    """One circular; a signed-in person whom it concerns has read it with this."""
    desk = desk_of(request)
    school, one, who = await _opened(request, customer_id, circular)
    titles = await titles_of(desk, school.code, one.audience.classes)
    return _render(
        request,
        "circular.html",
        school,
        who,
        circular=one,
        paragraphs=paragraphs(one.text),
        titles=titles,
        concerned=one.as_audience is not None,
    )


@router.get("/{customer_id}/{circular}/pdf", name="circular_pdf")
async def pdf(request: Request, customer_id: str, circular: str) -> Response:
    """The same on the school's letterhead; opened, it counts as read too."""
    desk = desk_of(request)
    school, one, _ = await _opened(request, customer_id, circular)
    titles = await titles_of(desk, school.code, one.audience.classes)
    withdrawn = f"Circolare ritirata. {one.withdrawn_for}" if one.withdrawn_at else ""
    made = await board_of(request).pdf(school, content_of(one), titles, withdrawn)
    return Response(made, media_type="application/pdf", headers=pdf_headers(f"circolare-{one.number}"))


async def _opened(
    request: Request, customer_id: str, circular: str
) -> tuple[School, Circular, Principal | None]:
    """The circular as this person may see it, and read it is. Who is not signed in and asks for what is not public is
    sent to sign in, whether it exists or not."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    school = await circulars.school_of_customer(pool, customer_id)
    found = None if school is None else await circulars.one_of_school(pool, school.code, circular)
    open_to_all = found is not None and found.public
    who = await principal_of(request) if open_to_all else await _reader(request)
    if school is None or found is None:
        raise NotFound()
    if who is None or who.must_change or who.school != school.code:
        if open_to_all:
            return school, found, who
        raise NotFound()
    for mine in await circulars.of_reader(pool, who, found.id):
        await board_of(request).read(mine, who, context_of(request, who))
        return school, mine, who
    if found.public or may(who, Action.publish_circulars):
        return school, found, who
    raise NotFound()


async def _school(request: Request, customer_id: str) -> School:
    school = await circulars.school_of_customer(desk_of(request).commands.store.pool, customer_id)
    if school is None:
        raise NotFound()
    return school


def _render(
    request: Request, name: str, school: School, who: Principal | None, **context: Any
) -> HTMLResponse:
    return web_state(request).pages.render(
        request,
        f"notifications/{name}",
        school=SchoolFront(name=school.name),
        navigation=navigation_of(who, "/circolari/"),
        words=labels_circulars,
        customer_id=school.customer_id,
        **context,
    )
