"""What a parent asks and reports, and what a pupil of age allows, each from the home page (P8, M9, M4)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.registry.authority import registry_of
from services.registry.desk import context_of, school_front
from services.registry.domain.access import Closed
from services.registry.people import NobodyHere
from services.registry.people_queries import Relation
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.confirmation import CODE, Purpose, confirmation_url, confirmed
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.navigation import navigation_of
from shared.web.sessions import Principal
from shared.web.state import web_state

router = APIRouter(include_in_schema=False)
HOME = "/registro/"
MayReport = Annotated[Principal, Depends(allowed(Action.report_wrong_child))]
MayAsk = Annotated[Principal, Depends(allowed(Action.ask_justification))]
MayConsent = Annotated[Principal, Depends(allowed(Action.consent_to_parents))]
_UNUSABLE = N_("Scriva al massimo 500 caratteri, senza simboli speciali.")


@router.get("/registro/figli/{student}/non-e-mio-figlio", response_class=HTMLResponse, name="wrong_child")
async def ask_wrong_child(request: Request, who: MayReport, student: str) -> Response:
    return await _wrong_child(request, who, await _own_child(request, who, student), "", {})


@router.post("/registro/figli/{student}/non-e-mio-figlio", response_class=HTMLResponse)
async def report_wrong_child(request: Request, who: MayReport, student: str) -> Response:
    relation = await _own_child(request, who, student)
    async with request.form(max_files=0, max_fields=5) as form:
        note = str(form.get("motivo") or "")
    try:
        done = await registry_of(request).people.report_wrong_child(
            who.school, who.person_id, student, note=note, context=context_of(request, who)
        )
    except Refused:
        return await _wrong_child(request, who, relation, note, {"motivo": gettext(_UNUSABLE)})
    return _home("segnalazione" if done else "gia")


async def _wrong_child(
    request: Request, who: Principal, relation: Relation, note: str, errors: dict[str, str]
) -> Response:
    return await _render(
        request,
        who,
        "family/wrong_child.html",
        422 if errors else 200,
        relation=relation,
        note=note,
        errors=errors,
    )


@router.get("/registro/figli/{student}/giustificazione", response_class=HTMLResponse, name="justification")
async def ask_justification(request: Request, who: MayAsk, student: str) -> Response:
    """What is asked for; and with the code of a confirmation, the request itself (P8)."""
    relation = await _own_child(request, who, student)
    subject = f"{who.person_id}:{student}"
    if CODE in request.query_params:
        if not await confirmed(request, Purpose.justification_service, subject):
            return RedirectResponse(request.url.path, status_code=303)
        try:
            done = await registry_of(request).people.request_justification(
                who.school, who.person_id, student, context=context_of(request, who)
            )
        except Refused:
            return _home("")
        return _home("giustificazione" if done else "gia")
    return await _render(request, who, "family/justification.html", relation=relation)


@router.post("/registro/figli/{student}/giustificazione", response_class=HTMLResponse)
async def confirm_justification(request: Request, who: MayAsk, student: str) -> Response:
    """On to identity, where the parent confirms with PIN or password."""
    await _own_child(request, who, student)
    subject, back = f"{who.person_id}:{student}", request.url.path
    address = confirmation_url(Purpose.justification_service, subject, back)
    return RedirectResponse(address, status_code=303)


@router.get("/registro/consenso/{guardian}", response_class=HTMLResponse, name="consent")
async def ask_consent(
    request: Request, who: MayConsent, guardian: str, scelta: Literal["", "si", "no"] = ""
) -> Response:
    """What a pupil of age decides about one parent; and with the code of a confirmation, the decision (M4)."""
    relation = await _own_parent(request, who, guardian)
    if CODE in request.query_params and scelta:
        subject = f"{who.person_id}:{guardian}:{scelta}"
        if not await confirmed(request, Purpose.parents_consent, subject):
            return RedirectResponse(request.url.path, status_code=303)
        done = await registry_of(request).people.consent(
            who.school, who.person_id, guardian, consents=scelta == "si", context=context_of(request, who)
        )
        return _home("consenso" if done else "gia")
    return await _render(request, who, "family/consent.html", relation=relation, errors={})


@router.post("/registro/consenso/{guardian}", response_class=HTMLResponse)
async def confirm_consent(request: Request, who: MayConsent, guardian: str) -> Response:
    relation = await _own_parent(request, who, guardian)
    async with request.form(max_files=0, max_fields=5) as form:
        choice = str(form.get("scelta") or "")
    if choice not in ("si", "no"):
        errors = {"scelta": gettext(N_("Scelga una delle due risposte."))}
        return await _render(request, who, "family/consent.html", 422, relation=relation, errors=errors)
    subject, back = f"{who.person_id}:{guardian}:{choice}", f"{request.url.path}?scelta={choice}"
    return RedirectResponse(confirmation_url(Purpose.parents_consent, subject, back), status_code=303)


async def _own_child(request: Request, who: Principal, student: str) -> Relation:
    """A child of whoever asks, whose data is open to them; any other answers as one who does not exist."""
    people = registry_of(request).people
    try:
        relation = await people.relation(who.school, who.person_id, student)
    except NobodyHere:
        raise _nobody() from None
    if relation.closed(await people.policy(who.school), people.today) is not None:
        raise _nobody()
    return relation


async def _own_parent(request: Request, who: Principal, guardian: str) -> Relation:
    people = registry_of(request).people
    try:
        relation = await people.relation(who.school, guardian, who.person_id)
    except NobodyHere:
        raise _nobody() from None
    policy, on = await people.policy(who.school), people.today
    closed = relation.closed(policy, on)
    if closed not in (None, Closed.consent_missing) or not relation.asks_consent(policy, on):
        raise _nobody()
    return relation


def _nobody() -> Problem:
    return Problem(
        404,
        "person-unknown",
        TITLES[404],
        N_("Nessuno con questo codice risulta collegato a lei."),
        page=None,
    )


def _home(done: str) -> RedirectResponse:
    return RedirectResponse(f"{HOME}?fatto={done}" if done else HOME, status_code=303)


async def _render(
    request: Request, who: Principal, template: str, status_code: int = 200, **context: Any
) -> Response:
    return web_state(request).pages.render(
        request,
        template,
        status_code=status_code,
        school=await school_front(request, who),
        navigation=navigation_of(who, HOME),
        **context,
    )
