"""The pages of access, under /accesso and /s/<customer id>. Phones first; all of it works without JavaScript."""

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from pydantic import StringConstraints
from starlette.responses import RedirectResponse, Response

from services.identity.device_words import device_word
from services.identity.operations import issue_by_desk
from services.identity.own import way_in
from services.identity.queries import School
from services.identity.signing_in import Objection
from services.identity.web import NOT_ACCEPTED, NOT_ACCEPTED_HINT, Front, front_of, start_of, told_to_wait
from shared.contracts.identity import AccountRole
from shared.web.actions import Action, allowed, may
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal, clear_session, optional_principal, safe_next

Anyone = Annotated[Principal | None, Depends(optional_principal)]
SignedInHolder = Annotated[Principal, Depends(allowed(Action.own_account, while_changing=True))]
Desk = Annotated[Principal, Depends(allowed(Action.issue))]
Field = Annotated[str, Form(max_length=1024)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
CHANGE = "/accesso/cambio-password"
SIGN_IN = "/accesso/"
HAND_OVER = "/consegne/consegna"
_SLIP = re.compile(r"[0-9a-f-]{36}")
WRONG_CURRENT = N_("La password attuale non è questa.")
NEW_DIFFERS = N_("Le due nuove password non sono uguali.")
MISSING = {
    "codice": N_("Scriva il codice utente."),
    "password": N_("Scriva la password."),
    "attuale": N_("Scriva la password attuale."),
    "nuova": N_("Scriva la nuova password."),
}


def page_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _signing_in(router, front)
    _changing(router, front)
    _rest(router, front)
    return router


def _signing_in(router: APIRouter, front: Front) -> None:
    def page(
        request: Request,
        school: School | None,
        wanted: str,
        *,
        errors: dict[str, str] | None = None,
        code: str = "",
        changed: bool = False,
    ) -> Response:
        return front.pages.render(
            request,
            "sign_in.html",
            status_code=422 if errors else 200,
            school=front_of(school),
            errors=errors or {},
            code=code,
            wanted=wanted,
            changed=changed,
        )

    @router.get("/s/{customer_id}", name="school_front")
    async def school_front(request: Request, customer_id: str, who: Anyone, c: str = "") -> Response:
        """The school's own stable address (P6, E4). `c`, the slip whose QR code was scanned, is for who may hand it
        over; everybody else signs in here as with any other address (P5)."""
        school = await front.school_at(customer_id)
        if school is None:
            raise Problem(
                404,
                "unknown-school",
                N_("Scuola non trovata"),
                N_(
                    "Questo indirizzo non corrisponde a nessuna scuola: lo controlli sul tagliando o sull’e-mail."
                ),
            )
        if who is not None and who.school == school.code:
            if _SLIP.fullmatch(c) is not None and may(who, Action.hand_over_in_class):
                return RedirectResponse(f"{HAND_OVER}/{c}?da=foglio", status_code=303)
            return RedirectResponse("/accesso/inizio", status_code=303)
        response = page(request, school, "")
        front.remember_school(response, school)
        return response

    @router.get(SIGN_IN, name="sign_in")
    async def form(
        request: Request, who: Anyone, next: str | None = None, cambiata: str | None = None
    ) -> Response:
        changed = cambiata is not None and front.just_changed(request)
        if who is not None and not changed:
            return RedirectResponse(safe_next(next, "/accesso/inizio"), status_code=303)
        school = await front.school_of(request)
        return page(request, school, safe_next(next, ""), changed=changed)

    @router.get("/accesso", name="sign_in_bare")
    async def bare() -> Response:
        return RedirectResponse(SIGN_IN, status_code=308)

    @router.post(SIGN_IN)
    async def sign_in(
        request: Request,
        codice: Field = "",
        password: Field = "",
        ricorda: Field = "",
        next: Field = "",
    ) -> Response:
        wanted = safe_next(next, "")
        errors = _missing(codice=codice, password=password)
        who = None
        if not errors:
            who = await front.signing_in.sign_in(
                codice,
                password,
                remember=ricorda == "si",
                instead_of=front.session(request),
                address=front.address(request),
                device_cookie=front.device(request),
                on=device_word(request.headers.get("user-agent")),
            )
            errors = {} if who else _not_accepted(await front.seconds_to_wait(request, codice))
        if who is None:
            school = await front.school_of(request)
            return page(request, school, wanted, errors=errors, code=_told_back(codice))
        mine = await front.own.of(who.account, who.school)
        target = way_in(mine, wanted or start_of(who.role))
        if who.session.must_change:
            target = CHANGE
        elif who.advised:
            target = f"/accesso/consiglio?next={quote(target, safe='/')}"
        response = RedirectResponse(target, status_code=303)
        front.signed_in(response, who)
        if mine is not None and mine.chosen is not None:
            front.speak(response, mine.chosen)
        school = await front.queries.school(who.school)
        if school is not None:
            front.remember_school(response, school)
        return response


def _changing(router: APIRouter, front: Front) -> None:
    async def page(
        request: Request, who: Principal | None, errors: dict[str, str] | None = None, code: str = ""
    ) -> Response:
        me = await front.queries.me(who) if who is not None else None
        return front.pages.render(
            request,
            "change_password.html",
            status_code=422 if errors else 200,
            school=front_of(await front.school_of(request, who)),
            errors=errors or {},
            code=(me.user_code or "") if me is not None else code,
            forced=who is not None and who.must_change,
            back=start_of(me.role) if me is not None else SIGN_IN,
        )

    @router.get(CHANGE, name="change_password")
    async def form(request: Request, who: Anyone) -> Response:
        """P7: here for whoever is signed in and for whoever is not."""
        return await page(request, who)

    @router.post(CHANGE)
    async def change(
        request: Request,
        who: Anyone,
        codice: Field = "",
        attuale: Field = "",
        nuova: Field = "",
        ripeti: Field = "",
    ) -> Response:
        me = await front.queries.me(who) if who is not None else None
        code = (me.user_code or "") if me is not None else codice
        errors = _missing(codice=code, attuale=attuale, nuova=nuova)
        if not errors and nuova != ripeti:
            errors = {"ripeti": gettext(NEW_DIFFERS)}
        if errors:
            return await page(request, who, errors, _told_back(codice))
        changed = await front.signing_in.change_password(
            code,
            attuale,
            nuova,
            principal=who,
            remembered=me.remembered if me is not None else False,
            address=front.address(request),
            device_cookie=front.device(request),
            on=device_word(request.headers.get("user-agent")),
        )
        if isinstance(changed, Objection):
            return await page(request, who, {"nuova": gettext(changed.reason)}, _told_back(codice))
        if changed is None:
            wait = await front.seconds_to_wait(request, code)
            wrong = {"attuale": _with_wait(WRONG_CURRENT, wait)} if who is not None else _not_accepted(wait)
            return await page(request, who, wrong, _told_back(codice))
        if who is None or me is None:
            response = RedirectResponse(f"{SIGN_IN}?cambiata=si", status_code=303)
            front.tell_changed(response)
            return response
        onward = way_in(await front.own.mine(who), start_of(me.role))
        told = "/accesso/cambiata" if onward == start_of(me.role) else onward
        response = RedirectResponse(told, status_code=303)
        front.tell_changed(response)
        front.give_session(response, changed)
        return response

    @router.get("/accesso/cambiata", name="changed")
    async def changed_page(request: Request, who: SignedInHolder) -> Response:
        if not front.just_changed(request):
            return RedirectResponse("/accesso/inizio", status_code=303)
        me = await front.queries.me(who)
        return front.pages.render(
            request,
            "changed.html",
            school=front_of(await front.school_of(request, who)),
            target=start_of(me.role if me is not None else AccountRole.guardian),
        )

    @router.get("/accesso/consiglio", name="advice")
    async def advice(
        request: Request,
        who: Annotated[Principal, Depends(allowed(Action.own_account))],
        next: str | None = None,
    ) -> Response:
        """The school recommends a password of one's own; whoever does not want one yet goes on."""
        me = await front.queries.me(who)
        target = safe_next(next, start_of(me.role if me is not None else AccountRole.guardian))
        if me is None or me.initial_until is None:
            return RedirectResponse(target, status_code=303)
        return front.pages.render(
            request,
            "advice.html",
            school=front_of(await front.school_of(request, who)),
            target=target,
            until=me.initial_until,
            guardian=me.role is AccountRole.guardian,
        )


def _rest(router: APIRouter, front: Front) -> None:
    @router.get("/accesso/inizio", name="start")
    async def start(who: Annotated[Principal, Depends(allowed(Action.own_account))]) -> Response:
        me = await front.queries.me(who)
        return RedirectResponse(
            start_of(me.role if me is not None else AccountRole.guardian), status_code=303
        )

    @router.post("/accesso/uscita", name="sign_out")
    async def sign_out(who: Anyone) -> Response:
        if who is not None:
            await front.sessions.end(who)
        response = RedirectResponse(f"{SIGN_IN}uscita", status_code=303)
        clear_session(response, front.settings.instance)
        return response

    @router.get("/accesso/uscita", name="signed_out")
    async def signed_out(request: Request, who: Anyone) -> Response:
        school = await front.school_of(request)
        return front.pages.render(request, "signed_out.html", school=front_of(school), still=who is not None)

    @router.post("/accesso/emissioni", name="issue")
    async def issue(
        who: Desk,
        holders: Annotated[list[Id] | None, Form(max_length=1000)] = None,
        scuola: Field = "",
        back: Field = "",
    ) -> Response:
        """The desk's one action: from a page of the desk, and back to it."""
        target = safe_next(back, "/consegne/")
        if holders or scuola == "si":
            done = await issue_by_desk(front.commands, who.school, holders or None, actor=who.account_id)
            front.wake_issuer()
            if done.accepted:
                target += f"{'&' if '?' in target else '?'}emesse={done.accepted}"
        return RedirectResponse(target, status_code=303)


def _missing(**fields: str) -> dict[str, str]:
    return {name: gettext(MISSING[name]) for name, value in fields.items() if not value.strip()}


def _not_accepted(wait: int = 0) -> dict[str, str]:
    """Of no field: which of the two is wrong, or whether the code exists, is told to nobody (M10). `wait`: seconds."""
    return {"": _with_wait(NOT_ACCEPTED, wait, otherwise=NOT_ACCEPTED_HINT)}


def _with_wait(message: str, seconds: int, otherwise: str = "") -> str:
    parts = (gettext(message), told_to_wait(seconds) if seconds else otherwise and gettext(otherwise))
    return " ".join(part for part in parts if part)


def _told_back(code: str) -> str:
    """A user code as typed, so that it can be corrected; nothing longer than one ever is (it may be a password), and
    nothing that cannot be seen."""
    return code if len(code) <= 12 and code.isprintable() else ""
