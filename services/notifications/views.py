"""What every page of the desk is dressed with, and the school and the class that it is about."""

from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request
from starlette.responses import HTMLResponse

from services.notifications import labels, queries
from services.notifications.desk import DeskUser, NotFound, desk_of
from services.notifications.operations import Desk
from services.notifications.queries import School, SchoolClass
from shared.web.actions import Action, may
from shared.web.navigation import desk_navigation
from shared.web.state import web_state
from shared.web.templating import SchoolFront

CLASSES = "/consegne/"


async def school_of(desk: Desk, who: DeskUser) -> School:
    school = await queries.school(desk.commands.store.pool, who.school, desk.now)
    if school is None:
        raise NotFound()
    return school


async def class_of(desk: Desk, who: DeskUser, class_id: str) -> tuple[School, SchoolClass]:
    """A class of another school does not exist for whoever asks."""
    school = await school_of(desk, who)
    one = await queries.school_class(desk.commands.store.pool, class_id, school.code)
    if one is None:
        raise NotFound()
    return school, one


def render(
    request: Request,
    who: DeskUser,
    name: str,
    school: School,
    *,
    active: str = CLASSES,
    status_code: int = 200,
    **context: Any,
) -> HTMLResponse:
    """`active`: the entry of the desk's navigation that the page belongs to. In templates, `may("print_slips")` is
    whether the table of actions lets this person do so."""
    return web_state(request).pages.render(
        request,
        f"notifications/{name}",
        status_code=status_code,
        school=SchoolFront(name=school.name),
        navigation=desk_navigation(who, active),
        labels=labels,
        may=lambda action: may(who, Action(action)),
        trial_site=_trial_site(desk_of(request).site_url),
        **context,
    )


def traceparent(request: Request) -> str | None:
    found: str | None = getattr(request.state, "traceparent", None)
    return found


def pdf_headers(name: str) -> dict[str, str]:
    """Shown in the browser, under this name, and kept nowhere."""
    return {
        "Cache-Control": "no-store",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}.pdf",
    }


def _trial_site(site_url: str) -> str:
    """The site's address where slips would carry one that no family can open; empty otherwise."""
    return site_url if urlsplit(site_url).hostname == "localhost" else ""
