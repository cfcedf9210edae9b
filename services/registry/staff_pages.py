"""The desk's pages of who works at the school: list, appointment, classes taught, and a list from a file (P5, P10)."""

from io import BytesIO
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.registry import desk_words, list_forms
from services.registry.authority import registry_of
from services.registry.desk import context_of, nobody_here, problem_of, render, said
from services.registry.imports.problems import Refused as FileRefused
from services.registry.imports.staff_list import StaffRow, parse_staff
from services.registry.people import NobodyHere
from services.registry.people_pages import PEOPLE
from services.registry.staffing import Member
from shared.contracts.registry import StaffKind
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

router = APIRouter(include_in_schema=False)
STAFF: Final = "/registro/sportello/incarichi"
MayAppoint = Annotated[Principal, Depends(allowed(Action.appoint_staff))]
_FIELDS: Final = ("ruolo", "cognome", "nome", "email")
_MISSING: Final = {"cognome": N_("Manca il cognome."), "nome": N_("Manca il nome.")}
_COLUMNS: Final = ("cognome", "nome", "email", "ruolo", "classi")
_WORDS: Final = {
    kind: word
    for word, kind in (
        ("docente", StaffKind.teacher),
        ("ata", StaffKind.ata),
        ("segreteria", StaffKind.secretary),
        ("dirigente", StaffKind.principal),
    )
}
DONE: Final = {
    "incaricato": N_("Incarico registrato."),
    "cessato": N_("Non risulta più in servizio."),
    "classi": N_("Classi salvate."),
    "elenco": N_("Elenco registrato."),
    "gia": N_("Era già così: non è cambiato nulla."),
}


@router.get(STAFF, response_class=HTMLResponse, name="staff")
async def show(request: Request, who: MayAppoint, fatto: str = "") -> Response:
    return await _page(request, who, done=gettext(DONE[fatto]) if fatto in DONE else "")


@router.post(STAFF, response_class=HTMLResponse, name="appoint")
async def appoint(request: Request, who: MayAppoint) -> Response:
    async with request.form(max_files=0, max_fields=10) as sent:
        form = {name: str(sent.get(name) or "") for name in _FIELDS}
    errors = {name: gettext(text) for name, text in _MISSING.items() if not form[name].strip()}
    if form["ruolo"] not in set(StaffKind):
        errors["ruolo"] = gettext(N_("Scelga il ruolo."))
    if not errors:
        try:
            person = await registry_of(request).staffing.appoint(
                who.school,
                kind=StaffKind(form["ruolo"]),
                family_name=form["cognome"],
                given_name=form["nome"],
                email=form["email"] or None,
                context=context_of(request, who),
            )
            return RedirectResponse(f"{STAFF}/{person}?fatto=incaricato", status_code=303)
        except Refused as refused:
            errors["email" if refused.reason == "staff_same_email" else ""] = said(refused)
    return await _page(request, who, form=form, errors=errors)


@router.post(f"{STAFF}/elenco/anteprima", response_class=HTMLResponse, name="preview_staff")
async def preview(request: Request, who: MayAppoint) -> Response:
    """What the list would do; nothing is done yet."""
    sent = await list_forms.uploaded(request)
    if sent is None:
        return await _page(request, who, errors={"file": gettext(list_forms.NO_FILE)})
    name, content = sent
    try:
        listed = parse_staff(name, BytesIO(content))
        planned = await registry_of(request).staffing.take_list(
            who.school, name, BytesIO(content), context_of(request, who), dry_run=True
        )
    except FileRefused as refused:
        return await _page(request, who, errors={"file": list_forms.unreadable(refused)})
    return await _page(
        request,
        who,
        planned=planned,
        problems=list_forms.told(planned.problems),
        rows=list_forms.written(_COLUMNS, map(_row, listed.rows)),
    )


@router.post(f"{STAFF}/elenco", response_class=HTMLResponse, name="take_staff")
async def take(request: Request, who: MayAppoint) -> Response:
    async with request.form(max_files=0, max_fields=5) as form:
        rows = str(form.get("righe") or "")
    try:
        planned = await registry_of(request).staffing.take_list(
            who.school, "elenco.csv", BytesIO(rows.encode()), context_of(request, who), dry_run=False
        )
    except FileRefused as refused:
        return await _page(request, who, errors={"file": list_forms.unreadable(refused)})
    changed = planned.new + planned.changed
    return RedirectResponse(f"{STAFF}?fatto={'elenco' if changed else 'gia'}", status_code=303)


def _row(row: StaffRow) -> tuple[str, ...]:
    return row.family_name, row.given_name, row.email or "", _WORDS[row.kind], " ".join(row.doors)


@router.get(f"{STAFF}/{{person}}", response_class=HTMLResponse, name="staff_member")
async def member(request: Request, who: MayAppoint, person: str, fatto: str = "") -> Response:
    staffing = registry_of(request).staffing
    found = await _member(request, who, person)
    return await render(
        request,
        who,
        "staff_member.html",
        PEOPLE,
        member=found,
        kind=gettext(desk_words.STAFF_KINDS[found.kind]) if found.kind else "",
        classes=await staffing.classes(who.school),
        taught={one.class_id for one in found.classes},
        done=gettext(DONE[fatto]) if fatto in DONE else "",
    )


@router.post(f"{STAFF}/{{person}}/classi", response_class=HTMLResponse, name="teaches")
async def teaches(request: Request, who: MayAppoint, person: str) -> Response:
    async with request.form(max_files=0, max_fields=500) as form:
        chosen = [str(value) for value in form.getlist("classi")]
    await _member(request, who, person)
    try:
        done = await registry_of(request).staffing.teaches(
            who.school, person, chosen, context=context_of(request, who)
        )
    except NobodyHere:
        raise nobody_here() from None
    except Refused as refused:
        raise problem_of(refused) from None
    return RedirectResponse(f"{STAFF}/{person}?fatto={'classi' if done else 'gia'}", status_code=303)


@router.get(f"{STAFF}/{{person}}/cessazione", response_class=HTMLResponse, name="staff_left")
async def ask_left(request: Request, who: MayAppoint, person: str) -> Response:
    return await render(request, who, "staff_left.html", PEOPLE, member=await _member(request, who, person))


@router.post(f"{STAFF}/{{person}}/cessazione", response_class=HTMLResponse)
async def left(request: Request, who: MayAppoint, person: str) -> Response:
    await _member(request, who, person)
    done = await registry_of(request).staffing.leave(who.school, person, context=context_of(request, who))
    return RedirectResponse(f"{STAFF}?fatto={'cessato' if done else 'gia'}", status_code=303)


async def _member(request: Request, who: Principal, person: str) -> Member:
    try:
        return await registry_of(request).staffing.member(who.school, person)
    except NobodyHere:
        raise nobody_here() from None


async def _page(request: Request, who: Principal, **context: Any) -> Response:
    members = await registry_of(request).staffing.members(who.school)
    usual: dict[str, Any] = {
        "done": "",
        "errors": {},
        "form": dict.fromkeys(_FIELDS, ""),
        "planned": None,
        "problems": [],
        "rows": "",
    }
    return await render(
        request,
        who,
        "staff.html",
        PEOPLE,
        status_code=422 if context.get("errors") else 200,
        members=members,
        kinds=[(kind.value, gettext(desk_words.STAFF_KINDS[kind])) for kind in StaffKind],
        kind_words={str(kind): gettext(text) for kind, text in desk_words.STAFF_KINDS.items()},
        **(usual | context),
    )
