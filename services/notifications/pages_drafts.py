"""The desk's pages on which a circular is written, seen beforehand and published, under /consegne/circolari (P10, E11)."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import queries
from services.notifications import queries_circulars as circulars
from services.notifications.circular_forms import Written, read, written
from services.notifications.circular_views import (
    TAKEN,
    Publisher,
    board_of,
    context_of,
    desk_page,
    go_to,
    titles_of,
)
from services.notifications.desk import NotFound, desk_of
from services.notifications.domain.circular import Content, paragraphs, school_year
from services.notifications.operations import Desk
from services.notifications.queries import School, SchoolClass
from services.notifications.queries_circulars import Circular, Draft
from services.notifications.views import pdf_headers, school_of
from shared.contracts.notifications import Audience
from shared.decider import Refused
from shared.policies import local_day
from shared.web.i18n import gettext
from shared.web.sessions import Principal

router = APIRouter(prefix="/consegne/circolari", include_in_schema=False)


@router.get("/nuova", name="circular_new")
async def new(request: Request, who: Publisher) -> HTMLResponse:
    desk = desk_of(request)
    school = await school_of(desk, who)
    before = await circulars.of_school(desk.commands.store.pool, school.code)
    today = _today(desk)
    raw = written(
        numero=_next_number(before, today),
        data=today.isoformat(),
        oggetto="",
        testo="",
        firma=before[0].signed_by if before else "",
        destinatari=[Audience.guardians.value],
        classi=[],
    )
    return await _form(request, who, desk, school, Written(raw, None, {}), None)


@router.post("/bozze", name="circular_save")
async def save(
    request: Request,
    who: Publisher,
    numero: Annotated[str, Form(max_length=60)] = "",
    data: Annotated[str, Form(max_length=20)] = "",
    oggetto: Annotated[str, Form(max_length=400)] = "",
    testo: Annotated[str, Form(max_length=40_000)] = "",
    firma: Annotated[str, Form(max_length=300)] = "",
    destinatari: Annotated[list[str] | None, Form(max_length=10)] = None,
    classi: Annotated[list[str] | None, Form(max_length=300)] = None,
    bozza: Annotated[str, Form(max_length=64)] = "",
    azione: Annotated[str, Form(max_length=20)] = "anteprima",
) -> Response:
    """Keeps the draft as it is; then its preview, if nothing in it is wrong."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    if bozza:
        await _draft(desk, school, bozza)
    raw = written(
        numero=numero,
        data=data,
        oggetto=oggetto,
        testo=testo,
        firma=firma,
        destinatari=destinatari or (),
        classi=classi or (),
    )
    draft = await board_of(request).save_draft(school.code, bozza or None, raw, who.account_id)
    if azione == "salva":
        return go_to(request, "circulars_desk")
    found = read(raw, await _classes(desk, school), _today(desk))
    if found.content is None:
        return await _form(request, who, desk, school, found, draft, status_code=422)
    return go_to(request, "circular_preview", draft=draft)


@router.get("/bozze/{draft}", name="circular_edit")
async def edit(request: Request, who: Publisher, draft: str) -> Response:
    desk = desk_of(request)
    school = await school_of(desk, who)
    found = await _draft(desk, school, draft)
    if found.circular is not None:
        return go_to(request, "circular_desk", circular=found.circular)
    return await _form(request, who, desk, school, Written(dict(found.content), None, {}), draft)


@router.get("/bozze/{draft}/anteprima", name="circular_preview")
async def preview(request: Request, who: Publisher, draft: str) -> Response:
    """As it will be read, whom it reaches, and what publishing does."""
    return await _preview(request, who, draft)


@router.get("/bozze/{draft}/pdf", name="circular_preview_pdf")
async def preview_pdf(request: Request, who: Publisher, draft: str) -> Response:
    desk = desk_of(request)
    school = await school_of(desk, who)
    found = read((await _draft(desk, school, draft)).content, await _classes(desk, school), _today(desk))
    if found.content is None:
        return go_to(request, "circular_edit", draft=draft)
    return await _pdf(request, desk, school, found.content)


@router.post("/bozze/{draft}/pubblica", name="circular_publish")
async def publish(request: Request, who: Publisher, draft: str) -> Response:
    """Published once; asked for again, the circular that it became."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    kept = await _draft(desk, school, draft)
    if kept.circular is not None:
        return go_to(request, "circular_desk", circular=kept.circular)
    found = read(kept.content, await _classes(desk, school), _today(desk))
    if found.content is None:
        return await _form(request, who, desk, school, found, draft, status_code=422)
    try:
        done = await board_of(request).publish(school.code, found.content, context_of(request, who), draft)
    except Refused:
        wrong = Written(found.raw, None, {"numero": gettext(TAKEN)})
        return await _form(request, who, desk, school, wrong, draft, status_code=409)
    return RedirectResponse(
        f"{request.url_for('circular_desk', circular=done.circular).path}?pubblicata=si", 303
    )


@router.post("/bozze/{draft}/elimina", name="circular_delete")
async def delete(request: Request, who: Publisher, draft: str) -> Response:
    desk = desk_of(request)
    school = await school_of(desk, who)
    await _draft(desk, school, draft)
    await board_of(request).delete_draft(school.code, draft)
    return go_to(request, "circulars_desk")


async def _preview(request: Request, who: Principal, draft: str) -> Response:
    desk = desk_of(request)
    school = await school_of(desk, who)
    kept = await _draft(desk, school, draft)
    if kept.circular is not None:
        return go_to(request, "circular_desk", circular=kept.circular)
    found = read(kept.content, await _classes(desk, school), _today(desk))
    if found.content is None:
        return await _form(request, who, desk, school, found, draft, status_code=422)
    content = found.content
    reached, _ = await board_of(request).reached(school.code, content)
    return desk_page(
        request,
        who,
        "circular_preview.html",
        school,
        draft=draft,
        circular=content,
        paragraphs=paragraphs(content.text),
        titles=await titles_of(desk, school.code, content.audience.classes),
        sizes=reached,
        public=Audience.public in content.audience.audiences,
        public_path=f"{desk.site_url.rstrip('/')}/circolari/{school.customer_id}/",
    )


async def _form(
    request: Request,
    who: Principal,
    desk: Desk,
    school: School,
    found: Written,
    draft: str | None,
    status_code: int = 200,
) -> HTMLResponse:
    return desk_page(
        request,
        who,
        "circular_form.html",
        school,
        status_code=status_code,
        raw=found.raw,
        errors=found.errors,
        draft=draft or "",
        classes=await _classes(desk, school),
    )


async def _draft(desk: Desk, school: School, draft: str) -> Draft:
    found = await circulars.draft(desk.commands.store.pool, school.code, draft)
    if found is None:
        raise NotFound()
    return found


async def _pdf(request: Request, desk: Desk, school: School, content: Content) -> Response:
    titles = await titles_of(desk, school.code, content.audience.classes)
    pdf = await board_of(request).pdf(school, content, titles)
    return Response(pdf, media_type="application/pdf", headers=pdf_headers(f"circolare-{content.number}"))


async def _classes(desk: Desk, school: School) -> list[SchoolClass]:
    """Those that a circular can be for: of the newest school year that has any, and of the one before it ends."""
    everything = await queries.classes(desk.commands.store.pool, school.code)
    this_year = school_year(_today(desk))
    return [c for c in everything if c.year >= min(this_year, everything[0].year)]


def _today(desk: Desk) -> date:
    return local_day(desk.now)


def _next_number(before: Sequence[Circular], today: date) -> str:
    numbers = [
        int(found[0])
        for c in before
        if c.year == school_year(today) and (found := re.match("[0-9]+", c.number))
    ]
    return str(max(numbers, default=0) + 1)
