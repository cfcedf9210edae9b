"""A holder's own access, on their phone: one page of it, the PIN, the language, the confirmation step."""

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from services.identity.confirmations import WORDS, Given
from services.identity.domain.pin import Standing
from services.identity.own import Mine
from services.identity.pins import PinRefused
from services.identity.queries import School
from services.identity.showing import NotShown
from services.identity.web import Front, client_of, front_of, start_of, told_to_wait
from shared.contracts.identity import AccountRole
from shared.contracts.policy import HolderRole
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.confirmation import CONFIRM_PATH, SUBJECT, Purpose, with_code
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext, ngettext
from shared.web.navigation import navigation_of
from shared.web.sessions import Principal, safe_next

Holder = Annotated[Principal, Depends(allowed(Action.own_account))]
Field = Annotated[str, Form(max_length=1024)]
OWN, PIN = "/accesso/il-mio-accesso", "/accesso/pin"
WRONG_PIN = N_("Il PIN non è questo.")
WRONG_PASSWORD = N_("La password non è questa.")
WRITE_PIN = N_("Scriva il PIN.")
WRITE_PASSWORD = N_("Scriva la password.")
WRITE_PROOF = N_("Scriva il PIN attuale o la password.")
PINS_DIFFER = N_("I due nuovi PIN non sono uguali.")
DISABLED = N_("Il PIN è stato disattivato dopo 10 tentativi errati: ne scelga uno nuovo.")
CLOSED = N_("Il suo accesso è sospeso: si rivolga alla segreteria della scuola.")
CONFIRMED_BY: dict[HolderRole, tuple[str, ...]] = {
    HolderRole.guardian: (
        N_("giustificare un’assenza"),
        N_("chiedere la giustificazione online delle assenze"),
    ),
    HolderRole.pupil_of_age: (
        N_("giustificare un’assenza, se la scuola lo permette ai maggiorenni"),
        N_("decidere che cosa vedono i suoi genitori"),
    ),
}


def own_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _own(router, front)
    _pin(router, front)
    _confirmation(router, front)
    return router


async def _known(front: Front, who: Principal) -> tuple[Mine, School | None]:
    mine = await front.own.mine(who)
    if mine is None:
        raise Problem(404, "unknown-account", N_("Pagina non trovata"))
    return mine, await front.queries.school(who.school)


def _own(router: APIRouter, front: Front) -> None:
    @router.get(OWN, name="own")
    async def page(
        request: Request, who: Holder, pin: str | None = None, lingua: str | None = None
    ) -> Response:
        mine, school = await _known(front, who)
        return front.pages.render(
            request,
            "own.html",
            school=front_of(school),
            navigation=navigation_of(who, OWN),
            mine=mine,
            staff=mine.role is AccountRole.staff,
            has_pins=mine.has_pins,
            confirmed_by=[gettext(what) for what in CONFIRMED_BY.get(mine.policy_role, ())],
            done="pin" if pin == "si" else "lingua" if lingua == "si" else "",
            chosen=mine.language or "it",
            language_options=[(one.tag, one.name) for one in front.pages.offered(who)],
            back=start_of(mine.role),
        )

    @router.post("/accesso/lingua", name="choose_language")
    async def language(request: Request, who: Holder, lingua: Field = "") -> Response:
        if lingua not in {one.tag for one in front.pages.offered(who)}:
            raise Problem(422, "unknown-language", N_("Scelga una lingua tra quelle elencate"))
        await front.own.choose_language(who, lingua)
        response = RedirectResponse(f"{OWN}?lingua=si", status_code=303)
        front.speak(response, lingua)
        return response


def _pin(router: APIRouter, front: Front) -> None:
    async def page(
        request: Request, who: Principal, wanted: str, errors: dict[str, str] | None = None
    ) -> Response:
        mine, school = await _known(front, who)
        return front.pages.render(
            request,
            "pin.html",
            status_code=422 if errors else 200,
            school=front_of(school),
            errors=errors or {},
            wanted=wanted,
            standing=mine.standing.value,
            usual=mine.has_pins,
            fresh=await front.own.pins.fresh(who, mine.standing),
            changed=front.just_changed(request),
            code=mine.user_code or "",
            guardian=mine.role is AccountRole.guardian,
            back=wanted or OWN,
        )

    @router.get(PIN, name="pin")
    async def form(request: Request, who: Holder, next: str | None = None) -> Response:
        return await page(request, who, safe_next(next, ""))

    @router.post(PIN)
    async def change(
        request: Request,
        who: Holder,
        prova: Field = "",
        nuovo: Field = "",
        ripeti: Field = "",
        next: Field = "",
    ) -> Response:
        wanted = safe_next(next, "")
        mine, _ = await _known(front, who)
        if not mine.has_pins:
            return await page(request, who, wanted)
        errors = {}
        if not prova and not await front.own.pins.fresh(who, mine.standing):
            active = mine.standing is Standing.active
            errors["prova"] = gettext(WRITE_PROOF if active else WRITE_PASSWORD)
        if not nuovo.strip():
            errors["nuovo"] = gettext(WRITE_PIN)
        elif nuovo != ripeti:
            errors["ripeti"] = gettext(PINS_DIFFER)
        if not errors:
            errors = await _changed(front, request, who, prova, nuovo)
        if errors:
            return await page(request, who, wanted, errors)
        return RedirectResponse(wanted or f"{OWN}?pin=si", status_code=303)


async def _changed(front: Front, request: Request, who: Principal, prova: str, nuovo: str) -> dict[str, str]:
    """What is to be corrected; nothing when the PIN is changed."""
    try:
        outcome = await front.own.pins.change(who, prova, nuovo, client_of(front, request))
    except Refused:
        return {"": gettext(CLOSED)}
    if isinstance(outcome, PinRefused):
        return {"nuovo": gettext(outcome.reason)}
    if isinstance(outcome, NotShown):
        return {"prova": told(outcome)}
    return {}


def _confirmation(router: APIRouter, front: Front) -> None:
    async def page(
        request: Request,
        who: Principal,
        asked: tuple[Purpose, str, str],
        errors: dict[str, str] | None = None,
    ) -> Response:
        purpose, subject, wanted = asked
        mine, school = await _known(front, who)
        here = f"{CONFIRM_PATH}?{urlencode({'scopo': purpose.value, 'oggetto': subject, 'next': wanted})}"
        disabled = mine.standing is Standing.disabled
        return front.pages.render(
            request,
            "confirm.html",
            status_code=422 if errors else 200,
            school=front_of(school),
            errors={} if disabled else errors or {},
            purpose=purpose.value,
            subject=subject,
            wanted=wanted,
            title=gettext(WORDS[purpose].title),
            explanation=gettext(WORDS[purpose].explanation),
            standing=mine.standing.value,
            choose=f"{PIN}?next={quote(here, safe='')}",
            to_choose=mine.to_choose,
            code=mine.user_code or "",
        )

    @router.get(CONFIRM_PATH, name="confirm")
    async def form(
        request: Request, who: Holder, scopo: str = "", oggetto: str = "", next: str = ""
    ) -> Response:
        """Where another service sends a holder before it does what has consequences."""
        return await page(request, who, _asked(scopo, oggetto, next))

    @router.post(CONFIRM_PATH)
    async def confirm(
        request: Request,
        who: Holder,
        scopo: Field = "",
        oggetto: Field = "",
        next: Annotated[str, Form(max_length=2000)] = "",
        prova: Field = "",
    ) -> Response:
        asked = purpose, subject, wanted = _asked(scopo, oggetto, next)
        if not prova.strip():
            mine, _ = await _known(front, who)
            missing = WRITE_PIN if mine.standing is Standing.active else WRITE_PASSWORD
            return await page(request, who, asked, {"prova": gettext(missing)})
        try:
            outcome = await front.own.confirmations.confirm(
                who, purpose, subject, prova, client_of(front, request)
            )
        except Refused:
            return await page(request, who, asked, {"": gettext(CLOSED)})
        if isinstance(outcome, Given):
            return RedirectResponse(with_code(wanted, outcome.code), status_code=303)
        return await page(request, who, asked, {"prova": told(outcome)})


def _asked(purpose: str, subject: str, wanted: str) -> tuple[Purpose, str, str]:
    """Only what identity has words for, and only back to a page of this site."""
    back = safe_next(wanted, "")
    if purpose not in {known.value for known in WORDS} or not SUBJECT.fullmatch(subject) or not back:
        raise Problem(
            404,
            "unknown-confirmation",
            N_("Conferma non prevista"),
            N_("Torni alla pagina da cui è partito e ripeta l’operazione da lì."),
        )
    return Purpose(purpose), subject, back


def told(trouble: NotShown) -> str:
    """Why what was shown was not enough, in the request's language."""
    if trouble.disabled:
        return gettext(DISABLED)
    if trouble.left is not None:
        left = ngettext(
            "Può provare ancora %(num)s volta.", "Può provare ancora %(num)s volte.", trouble.left
        )
        return f"{gettext(WRONG_PIN)} {left % {'num': trouble.left}}"
    if not trouble.wait:
        return gettext(WRONG_PASSWORD)
    return f"{gettext(WRONG_PASSWORD)} {told_to_wait(trouble.wait)}"
