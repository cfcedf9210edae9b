"""The desk's pages that act: each says what it will do and asks why, then does it (M1, M3, M9, E3, E8, P8)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.registry import desk_words
from services.registry.authority import registry_of
from services.registry.desk import FIELD, context_of, nobody_here, render, said, signed_in
from services.registry.desk_acts import ACTS, Act
from services.registry.imports.cells import BadCell, read_email
from services.registry.imports.problems import sentence
from services.registry.mailboxes import Wanted
from services.registry.people import NobodyHere, People
from services.registry.people_pages import PEOPLE, REPORTS, person_of
from services.registry.people_queries import Relation
from shared.contracts.registry import IdentityCheck
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.i18n import current_language, gettext
from shared.web.sessions import Principal

router = APIRouter(include_in_schema=False)
MayCorrect = Annotated[Principal, Depends(allowed(Action.correct_address))]
MayMerge = Annotated[Principal, Depends(allowed(Action.merge_guardians))]
MayActivate = Annotated[Principal, Depends(allowed(Action.activate_mailboxes))]
_FIELDS: Final = 12


async def _relation(people: People, who: Principal, guardian: str, student: str) -> Relation:
    try:
        return await people.relation(who.school, guardian, student)
    except NobodyHere:
        raise nobody_here() from None


def _pages_of(act: Act) -> tuple[Callable[..., Awaitable[Response]], Callable[..., Awaitable[Response]]]:
    """The page that asks, and the one that does."""

    async def ask(request: Request, guardian: str, student: str, da: str = "") -> Response:
        who = await signed_in(request)
        relation = await _relation(registry_of(request).people, who, guardian, student)
        dated = {"dal": registry_of(request).people.today.isoformat()} if act.dated else {}
        return await _confirm(request, who, act, relation, dated | {"da": da}, {})

    async def do(request: Request, guardian: str, student: str) -> Response:
        who = await signed_in(request)
        people = registry_of(request).people
        relation = await _relation(people, who, guardian, student)
        form = await _form(request, "motivo", "dal", "fondamento", "da")
        try:
            done = await act.run(people, who.school, relation, form, context_of(request, who))
        except Refused as refused:
            errors = {FIELD.get(refused.reason, ""): said(refused)}
            return await _confirm(request, who, act, relation, form, errors, 422)
        outcome = f"?fatto={act.slug if done else 'gia'}"
        back = REPORTS if form["da"] == "segnalazioni" else f"{PEOPLE}/{guardian}"
        return RedirectResponse(back + outcome, status_code=303)

    return ask, do


async def _confirm(
    request: Request,
    who: Principal,
    act: Act,
    relation: Relation,
    form: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
) -> Response:
    names = {"guardian": relation.guardian_name, "student": relation.student_name}
    return await render(
        request,
        who,
        "act.html",
        REPORTS if form.get("da") == "segnalazioni" else PEOPLE,
        status_code=status_code,
        act=act,
        relation=relation,
        title=gettext(act.title) % names,
        consequences=[gettext(text) % names for text in act.consequences],
        grounds=[] if act.grounds is None else [(k, gettext(v)) for k, v in act.grounds.items()],
        form={"motivo": "", "dal": "", "fondamento": "", "da": ""} | form,
        errors=errors,
        back=REPORTS if form.get("da") == "segnalazioni" else f"{PEOPLE}/{relation.guardian}",
    )


async def _form(request: Request, *names: str) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        return {name: value if isinstance(value := form.get(name), str) else "" for name in names}


for _act in ACTS:
    _ask, _do = _pages_of(_act)
    _path = f"{PEOPLE}/{{guardian}}/figli/{{student}}/{_act.slug}"
    _doors = [Depends(allowed(_act.action))]
    router.add_api_route(_path, _ask, methods=["GET"], dependencies=_doors, response_class=HTMLResponse)
    router.add_api_route(_path, _do, methods=["POST"], dependencies=_doors, response_class=HTMLResponse)


@router.get(f"{PEOPLE}/{{guardian}}/indirizzo", response_class=HTMLResponse, name="address_page")
async def ask_address(request: Request, who: MayCorrect, guardian: str) -> Response:
    return await _address(request, who, guardian, {}, {})


@router.post(f"{PEOPLE}/{{guardian}}/indirizzo", response_class=HTMLResponse)
async def correct_address(request: Request, who: MayCorrect, guardian: str) -> Response:
    form = await _form(request, "indirizzo", "verifica", "motivo")
    try:
        done = await registry_of(request).people.correct_address(
            who.school,
            guardian,
            email=form["indirizzo"],
            identity_check=_check(form["verifica"]),
            reason=form["motivo"],
            context=context_of(request, who),
        )
    except NobodyHere:
        raise nobody_here() from None
    except Refused as refused:
        field = "verifica" if refused.reason == "choice_unusable" else FIELD.get(refused.reason, "")
        return await _address(request, who, guardian, form, {field: said(refused)})
    return RedirectResponse(f"{PEOPLE}/{guardian}?fatto={'indirizzo' if done else 'gia'}", status_code=303)


def _check(text: str) -> IdentityCheck:
    try:
        return IdentityCheck(text)
    except ValueError:
        raise Refused("choice_unusable", "say how the person was recognised") from None


async def _address(
    request: Request, who: Principal, guardian: str, form: dict[str, str], errors: dict[str, str]
) -> Response:
    people = registry_of(request).people
    known = await person_of(people, who, guardian)
    if known.kind != "guardian" or known.merged_into is not None:
        raise nobody_here()
    return await render(
        request,
        who,
        "address.html",
        PEOPLE,
        status_code=422 if errors else 200,
        person=known,
        checks=[(k, gettext(v)) for k, v in desk_words.IDENTITY_CHECKS.items()],
        form={"indirizzo": known.email or "", "verifica": "", "motivo": ""} | form,
        errors=errors,
    )


@router.get(f"{PEOPLE}/{{guardian}}/unisci", response_class=HTMLResponse, name="merge_page")
async def ask_merge(request: Request, who: MayMerge, guardian: str, q: str = "", con: str = "") -> Response:
    return await _merge(request, who, guardian, q[:100], con, "", {})


@router.post(f"{PEOPLE}/{{guardian}}/unisci", response_class=HTMLResponse)
async def merge(request: Request, who: MayMerge, guardian: str) -> Response:
    form = await _form(request, "con", "motivo")
    try:
        done = await registry_of(request).people.merge(
            who.school, guardian, form["con"], reason=form["motivo"], context=context_of(request, who)
        )
    except NobodyHere:
        raise nobody_here() from None
    except Refused as refused:
        errors = {FIELD.get(refused.reason, ""): said(refused)}
        return await _merge(request, who, guardian, "", form["con"], form["motivo"], errors)
    return RedirectResponse(f"{PEOPLE}/{guardian}?fatto={'unisci' if done else 'gia'}", status_code=303)


async def _merge(
    request: Request,
    who: Principal,
    guardian: str,
    q: str,
    con: str,
    reason: str,
    errors: dict[str, str],
) -> Response:
    people = registry_of(request).people
    kept = await person_of(people, who, guardian)
    other = await person_of(people, who, con) if con else None
    for one in (kept, other):
        if one is not None and (one.kind != "guardian" or one.merged_into is not None):
            raise nobody_here()
    words = q or kept.family_name or ""
    found = [f for f in await people.queries.find(who.school, words, "guardian") if f.id != guardian]
    on = people.today
    return await render(
        request,
        who,
        "merge.html",
        PEOPLE,
        status_code=422 if errors else 200,
        person=kept,
        other=other,
        q=words,
        found=found,
        children=[] if other is None else await people.queries.relations(who.school, other.id, on),
        reason=reason,
        errors=errors,
    )


@router.get(f"{PEOPLE}/{{student}}/casella", response_class=HTMLResponse, name="activate_mailbox")
async def ask_mailbox(request: Request, who: MayActivate, student: str) -> Response:
    return await _mailbox(request, who, student, None, {})


@router.post(f"{PEOPLE}/{{student}}/casella", response_class=HTMLResponse)
async def activate_mailbox(request: Request, who: MayActivate, student: str) -> Response:
    form = await _form(request, "indirizzo")
    try:
        address = read_email(form["indirizzo"].strip())
    except BadCell:
        refused = Refused("email_unusable", "")
        return await _mailbox(request, who, student, form["indirizzo"], {"indirizzo": said(refused)})
    done = await registry_of(request).mailboxes.activate(
        who.school, [Wanted(0, address, student=student)], context_of(request, who)
    )
    if done.wrong:
        text = sentence(done.wrong[0].code, "it" if current_language() == "it" else "en", {})
        return await _mailbox(request, who, student, form["indirizzo"], {"indirizzo": text})
    outcome = "casella" if done.chosen else "gia"
    return RedirectResponse(f"{PEOPLE}/{quote(student)}?fatto={outcome}", status_code=303)


async def _mailbox(
    request: Request, who: Principal, student: str, typed: str | None, errors: dict[str, str]
) -> Response:
    known = await person_of(registry_of(request).people, who, student)
    if known.kind != "pupil":
        raise nobody_here()
    address = known.mailbox or known.email or ""
    return await render(
        request,
        who,
        "mailbox.html",
        PEOPLE,
        status_code=422 if errors else 200,
        person=known,
        address=address if typed is None else typed,
        errors=errors,
    )
