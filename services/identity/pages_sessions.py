"""Where a holder is signed in (M10), and the passkeys of those who work at the school: pages under /accesso."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from services.identity.device_words import WORDS
from services.identity.passkeys import LONGEST_NAME, Passkey, by_passkey
from services.identity.refusals_staff import problem_of, reason_told
from services.identity.web import Front, front_of
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.navigation import navigation_of
from shared.web.sessions import Principal, clear_session

Holder = Annotated[Principal, Depends(allowed(Action.own_account))]
Staff = Annotated[Principal, Depends(allowed(Action.own_passkeys))]
Field = Annotated[str, Form(max_length=100)]
SESSIONS, PASSKEYS = "/accesso/sessioni", "/accesso/passkey"


def sessions_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _sessions(router, front)
    _passkeys(router, front)
    return router


def _sessions(router: APIRouter, front: Front) -> None:
    @router.get(SESSIONS, name="sessions")
    async def sessions(request: Request, who: Holder, chiusa: str | None = None) -> Response:
        return front.pages.render(
            request,
            "sessions.html",
            school=front_of(await front.school_of(request, who)),
            navigation=navigation_of(who, "/accesso/il-mio-accesso"),
            sessions=await front.sessions.of(who.account_id),
            this=who.session_id,
            words={word: gettext(text) for word, text in WORDS.items()},
            ended=chiusa is not None,
        )

    @router.post(f"{SESSIONS}/chiudi", name="end_session")
    async def end_one(who: Holder, sessione: Field = "") -> Response:
        """One of one's own; this one is left by signing out."""
        if not await front.sessions.end_one(who, sessione):
            raise Problem(404, "no-session", TITLES[404], N_("Questo accesso è già terminato."))
        if sessione == who.session_id:
            return _out(front)
        return RedirectResponse(f"{SESSIONS}?chiusa=si", status_code=303)

    @router.post(f"{SESSIONS}/chiudi-tutte", name="end_sessions")
    async def end_all(who: Holder) -> Response:
        await front.sessions.end_all(who.account_id, who.school, actor=who.account_id)
        return _out(front)


def _out(front: Front) -> Response:
    response = RedirectResponse("/accesso/uscita", status_code=303)
    clear_session(response, front.settings.instance)
    return response


def _passkeys(router: APIRouter, front: Front) -> None:
    @router.get(PASSKEYS, name="passkeys")
    async def passkeys(
        request: Request, who: Staff, richiesta: str | None = None, fatta: str | None = None
    ) -> Response:
        """`richiesta`: sent here by something that needs a passkey."""
        try:
            with_password, barred = await front.passkeys.needs_password(who), False
        except Refused:
            with_password, barred = False, True
        return front.pages.render(
            request,
            "passkeys.html",
            school=front_of(await front.school_of(request, who)),
            navigation=navigation_of(who, "/accesso/il-mio-accesso"),
            passkeys=await front.passkeys.of(who.account_id),
            needed=richiesta is not None and not who.strong,
            registered=fatta == "registrata",
            removed=fatta == "tolta",
            by_passkey=by_passkey(who),
            with_password=with_password,
            barred=barred,
            longest=LONGEST_NAME,
        )

    async def one(who: Principal, passkey: str) -> Passkey:
        for each in await front.passkeys.of(who.account_id):
            if each.id == passkey:
                return each
        raise problem_of(Refused("unknown_passkey", ""))

    async def confirming(request: Request, who: Principal, passkey: Passkey, wrong: str = "") -> Response:
        return front.pages.render(
            request,
            "passkey_removal.html",
            status_code=422 if wrong else 200,
            school=front_of(await front.school_of(request, who)),
            navigation=navigation_of(who, "/accesso/il-mio-accesso"),
            passkey=passkey,
            errors={"": wrong} if wrong else {},
        )

    @router.get(f"{PASSKEYS}/{{passkey}}/togli", name="passkey_removal")
    async def ask(request: Request, who: Staff, passkey: str) -> Response:
        return await confirming(request, who, await one(who, passkey))

    @router.post(f"{PASSKEYS}/{{passkey}}/togli")
    async def remove(request: Request, who: Staff, passkey: str) -> Response:
        found = await one(who, passkey)
        try:
            await front.passkeys.remove(who, passkey)
        except Refused as refused:
            return await confirming(request, who, found, gettext(reason_told(refused)))
        return RedirectResponse(f"{PASSKEYS}?fatta=tolta", status_code=303)
