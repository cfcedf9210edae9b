"""The desk's pages about circulars, under /consegne/circolari: written, seen beforehand, published, withdrawn, unread
(P10, E11)."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import labels_circulars, queries
from services.notifications import queries_circulars as circulars
from services.notifications.circular_forms import Written, read, written
from services.notifications.desk import NotFound, desk_of
from services.notifications.domain.circular import Content, paragraphs, school_year
from services.notifications.letters import ROME
from services.notifications.operations import Desk
from services.notifications.operations_circulars import Board
from services.notifications.queries import School, SchoolClass
from services.notifications.queries_circulars import Circular, Draft
from services.notifications.views import pdf_headers, render, school_of, traceparent
from shared.contracts.event import Context
from shared.contracts.notifications import Audience
from shared.decider import Refused
from shared.ids import new_id
from shared.web.actions import Action, allowed
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

router = APIRouter(prefix="/consegne/circolari", include_in_schema=False)
ACTIVE = "/consegne/circolari"
Publisher = Annotated[Principal, Depends(allowed(Action.publish_circulars))]
_TAKEN = N_("In questo anno scolastico c’è già una circolare con questo numero: ne scelga un altro.")


def board_of(request: Request) -> Board:
    """The operations about circulars, put there by the composition root."""
    board: Board = request.app.state.board
    return board


def context_of(request: Request, who: Principal) -> Context:
    return Context(actor=who.account_id, correlation=new_id(), traceparent=traceparent(request))


async def titles_of(desk: Desk, school: str, class_ids: Sequence[str]) -> list[str]:
    """The titles of these classes, as lists have them."""
    named = set(class_ids)
    return [c.title for c in await queries.classes(desk.commands.store.pool, school) if c.id in named]


def number_taken() -> Problem:
    return Problem(409, "number-taken", N_("Il numero è già di un’altra circolare"), _TAKEN)


@router.get("", name="circulars_desk")
async def show_list(request: Request, who: Publisher) -> HTMLResponse:
    """What was published, with how many have read it, and what is still being written."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    school = await school_of(desk, who)
    published = await circulars.of_school(pool, school.code)
    return _page(
        request,
        who,
        "circulars_desk.html",
        school,
        circulars=published,
        reads=await circulars.reads(pool, published),
        notices=await circulars.notices(pool, [c.id for c in published]),
        drafts=await circulars.drafts(pool, school.code),
    )


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
        return _to(request, "circulars_desk")
    found = read(raw, await _classes(desk, school))
    if found.content is None:
        return await _form(request, who, desk, school, found, draft, status_code=422)
    return _to(request, "circular_preview", draft=draft)


@router.get("/bozze/{draft}", name="circular_edit")
async def edit(request: Request, who: Publisher, draft: str) -> Response:
    desk = desk_of(request)
    school = await school_of(desk, who)
    found = await _draft(desk, school, draft)
    if found.circular is not None:
        return _to(request, "circular_desk", circular=found.circular)
    return await _form(request, who, desk, school, Written(dict(found.content), None, {}), draft)


@router.get("/bozze/{draft}/anteprima", name="circular_preview")
async def preview(request: Request, who: Publisher, draft: str) -> Response:
    """As it will be read, whom it reaches, and what publishing does."""
    return await _preview(request, who, draft)


@router.get("/bozze/{draft}/pdf", name="circular_preview_pdf")
async def preview_pdf(request: Request, who: Publisher, draft: str) -> Response:
    desk = desk_of(request)
    school = await school_of(desk, who)
    found = read((await _draft(desk, school, draft)).content, await _classes(desk, school))
    if found.content is None:
        return _to(request, "circular_edit", draft=draft)
    return await _pdf(request, desk, school, found.content)


@router.post("/bozze/{draft}/pubblica", name="circular_publish")
async def publish(request: Request, who: Publisher, draft: str) -> Response:
    """Published once; asked for again, the circular that it became."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    kept = await _draft(desk, school, draft)
    if kept.circular is not None:
        return _to(request, "circular_desk", circular=kept.circular)
    found = read(kept.content, await _classes(desk, school))
    if found.content is None:
        return await _form(request, who, desk, school, found, draft, status_code=422)
    try:
        done = await board_of(request).publish(school.code, found.content, context_of(request, who), draft)
    except Refused:
        wrong = Written(found.raw, None, {"numero": gettext(_TAKEN)})
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
    return _to(request, "circulars_desk")


@router.get("/{circular}", name="circular_desk")
async def show(request: Request, who: Publisher, circular: str, pubblicata: str = "") -> HTMLResponse:
    """One circular: the text, how many have read it, and who has not."""
    desk = desk_of(request)
    school, one = await _one(desk, who, circular)
    pool = desk.commands.store.pool
    return _page(
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
    return _page(request, who, "circular_withdraw.html", school, circular=one, errors={}, reason="")


@router.post("/{circular}/ritiro")
async def withdraw(
    request: Request, who: Publisher, circular: str, motivo: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    desk = desk_of(request)
    school, one = await _one(desk, who, circular)
    if not motivo.strip():
        errors = {"motivo": gettext(N_("Scriva perché la circolare viene ritirata: lo leggerà chi la apre."))}
        return _page(
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
    return _to(request, "circular_desk", circular=one.id)


async def _preview(request: Request, who: Principal, draft: str) -> Response:
    desk = desk_of(request)
    school = await school_of(desk, who)
    kept = await _draft(desk, school, draft)
    if kept.circular is not None:
        return _to(request, "circular_desk", circular=kept.circular)
    found = read(kept.content, await _classes(desk, school))
    if found.content is None:
        return await _form(request, who, desk, school, found, draft, status_code=422)
    content = found.content
    reached, _ = await board_of(request).reached(school.code, content)
    return _page(
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
    return _page(
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


def _page(
    request: Request, who: Principal, name: str, school: School, status_code: int = 200, **context: Any
) -> HTMLResponse:
    return render(
        request,
        who,
        name,
        school,
        active=ACTIVE,
        status_code=status_code,
        words=labels_circulars,
        customer_id=school.customer_id,
        **context,
    )


async def _draft(desk: Desk, school: School, draft: str) -> Draft:
    found = await circulars.draft(desk.commands.store.pool, school.code, draft)
    if found is None:
        raise NotFound()
    return found


async def _one(desk: Desk, who: Principal, circular: str) -> tuple[School, Circular]:
    school = await school_of(desk, who)
    found = await circulars.one_of_school(desk.commands.store.pool, school.code, circular)
    if found is None:
        raise NotFound()
    return school, found


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
    return desk.now.astimezone(ROME).date()


def _next_number(before: Sequence[Circular], today: date) -> str:
    numbers = [
        int(found[0])
        for c in before
        if c.year == school_year(today) and (found := re.match("[0-9]+", c.number))
    ]
    return str(max(numbers, default=0) + 1)


def _to(request: Request, name: str, **parameters: str) -> RedirectResponse:
    return RedirectResponse(request.url_for(name, **parameters).path, 303)
