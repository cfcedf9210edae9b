"""The desk's pages about published circulars, under /consegne/circolari: who has read them, who has not (P10, E11)."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from services.notifications import queries_circulars as circulars
from services.notifications.circular_views import Publisher, board_of, context_of, desk_page, go_to, titles_of
from services.notifications.desk import NotFound, desk_of
from services.notifications.domain.circular import paragraphs
from services.notifications.operations import Desk
from services.notifications.queries import School
from services.notifications.queries_circulars import Circular
from services.notifications.views import school_of
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

router = APIRouter(prefix="/consegne/circolari", include_in_schema=False)


@router.get("", name="circulars_desk")
async def show_list(request: Request, who: Publisher) -> HTMLResponse:
    """What was published, with how many have read it, and what is still being written."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    school = await school_of(desk, who)
    published = await circulars.of_school(pool, school.code)
    return desk_page(
        request,
        who,
        "circulars_desk.html",
        school,
        circulars=published,
        reads=await circulars.reads(pool, published),
        notices=await circulars.notices(pool, [c.id for c in published]),
        drafts=await circulars.drafts(pool, school.code),
    )


@router.get("/{circular}", name="circular_desk")
async def show(request: Request, who: Publisher, circular: str, pubblicata: str = "") -> HTMLResponse:
    """One circular: the text, how many have read it, and who has not."""
    desk = desk_of(request)
    school, one = await _one(desk, who, circular)
    pool = desk.commands.store.pool
    return desk_page(
        request,
        who,
        "circular_desk.html",
        school,
        circular=one,
        paragraphs=paragraphs(one.text),
        titles=await titles_of(desk, school.code, one.audience.classes),
        reads=(await circulars.reads(pool, [one]))[one.id],
        unread=await circulars.unread(pool, one),
        notices=(await circulars.notices(pool, [one.id]))[one.id],
        states=await circulars.notice_states(pool, one.id),
        fresh=pubblicata == "si",
    )


@router.get("/{circular}/ritiro", name="circular_withdraw")
async def ask_withdraw(request: Request, who: Publisher, circular: str) -> HTMLResponse:
    desk = desk_of(request)
    school, one = await _one(desk, who, circular)
    return desk_page(request, who, "circular_withdraw.html", school, circular=one, errors={}, reason="")


@router.post("/{circular}/ritiro")
async def withdraw(
    request: Request, who: Publisher, circular: str, motivo: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    desk = desk_of(request)
    school, one = await _one(desk, who, circular)
    if not motivo.strip():
        errors = {"motivo": gettext(N_("Scriva perché la circolare viene ritirata: lo leggerà chi la apre."))}
        return desk_page(
            request,
            who,
            "circular_withdraw.html",
            school,
            status_code=422,
            circular=one,
            errors=errors,
            reason=motivo,
        )
    await board_of(request).withdraw(one, motivo, context_of(request, who))
    return go_to(request, "circular_desk", circular=one.id)


async def _one(desk: Desk, who: Principal, circular: str) -> tuple[School, Circular]:
    school = await school_of(desk, who)
    found = await circulars.one_of_school(desk.commands.store.pool, school.code, circular)
    if found is None:
        raise NotFound()
    return school, found
