"""Whoever has lost their credentials: what their school's policy says, and whom to ask. No dead end (E6, M8)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from services.identity.desk import Request as Asked
from services.identity.lost import advice
from services.identity.notes import LONGEST, written
from services.identity.operations_life import Acting
from services.identity.pages_own import CLOSED
from services.identity.policies import today_in_rome
from services.identity.web import Front, front_of
from shared.contracts.identity import AccountRole, ReportedBy
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal, clear_session, optional_principal

LOST, CLOSE = "/accesso/smarrite", "/accesso/smarrite/chiudi"
Anyone = Annotated[Principal | None, Depends(optional_principal)]
Holder = Annotated[Principal, Depends(allowed(Action.own_account))]
UNKNOWN_SCHOOL = N_(
    "Nessuna scuola ha questo indirizzo: lo copi dal tagliando o dall’e-mail, dopo «/s/», oppure chieda alla segreteria."
)
WRITE_MOTIVE = N_("Scriva il motivo, in non più di 500 caratteri.")
_REFUSED = {
    "request_open": N_("Ha già una richiesta in corso: attenda la risposta della scuola."),
    "nothing_to_regenerate": N_(
        "Le sue credenziali non sono ancora in uso: la segreteria gliele dà di nuovo senza una richiesta."
    ),
}


def lost_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    async def page(
        request: Request,
        who: Principal | None,
        asked: str = "",
        *,
        motive: str = "",
        wrong: str = "",
        done: str = "",
    ) -> Response:
        """`asked`: a school's customer id; without it the holder's school, or the one last opened on this device."""
        if who is None and asked:
            school = await front.school_at(asked)
        else:
            school = await front.school_of(request, who)
        waiting = await _waiting(front, who)
        errors = {"" if waiting else "motivo": wrong} if wrong else {}
        if who is None and asked and school is None:
            errors = {"scuola": gettext(UNKNOWN_SCHOOL)}
        mine = await front.own.mine(who) if who is not None else None
        now = front.commands.store.clock()
        policy = await front.queries.policy(school.code, now) if school is not None else None
        told = advice(policy, today_in_rome(now), mine.policy_role if mine is not None else None)
        response = front.pages.render(
            request,
            "lost.html",
            status_code=422 if errors else 200,
            school=front_of(school),
            known=school is not None,
            told=[(gettext(each.whom), [gettext(one) for one in each.sentences]) for each in told],
            errors=errors,
            asked=asked if school is None else "",
            mine=mine,
            waiting=waiting,
            family=mine is not None and mine.role is not AccountRole.staff,
            motive=motive,
            longest=LONGEST,
            done=done,
        )
        if who is None and asked and school is not None:
            front.remember_school(response, school)
        return response

    @router.get(LOST, name="lost")
    async def lost(
        request: Request,
        who: Anyone,
        scuola: Annotated[str, Query(max_length=200)] = "",
        richiesta: str = "",
        chiuso: str = "",
    ) -> Response:
        """`scuola`: its address or the end of it, /s/<customer id>, as the slip and the e-mail say it."""
        done = ""
        if who is not None and richiesta == "si":
            done = "richiesta"
        elif who is None and chiuso == "si":
            done = "chiuso"
        return await page(request, who, _customer_id(scuola), done=done)

    @router.get("/accesso/credenziali-perse")
    async def moved() -> Response:
        return RedirectResponse(LOST, status_code=308)

    @router.post("/accesso/smarrite/richiesta", name="lost_request")
    async def ask(
        request: Request, who: Holder, motivo: Annotated[str, Form(max_length=5000)] = ""
    ) -> Response:
        """A signed-in holder asks for new credentials; the desk checks who they are before it decides (E6)."""
        try:
            motive = written(motivo)
        except ValueError:
            return await page(request, who, motive=motivo[:LONGEST], wrong=gettext(WRITE_MOTIVE))
        acting = Acting(who.school, who.account_id)
        try:
            await front.life.request_regeneration(who.account_id, ReportedBy.holder, motive, acting)
        except Refused as refused:
            told = gettext(_REFUSED.get(refused.reason, CLOSED))
            return await page(request, who, motive=motive, wrong=told)
        return RedirectResponse(f"{LOST}?richiesta=si", status_code=303)

    @router.get(CLOSE, name="lost_close")
    async def closing(request: Request, who: Holder) -> Response:
        """Says what closing one's access does, before it is done."""
        school = front_of(await front.school_of(request, who))
        return front.pages.render(request, "close.html", school=school)

    @router.post(CLOSE)
    async def close(who: Holder) -> Response:
        """Somebody else has the credentials: from now on nobody gets in with them."""
        acting = Acting(who.school, who.account_id)
        await front.life.report_loss(who.account_id, ReportedBy.holder, acting, block=True)
        response = RedirectResponse(f"{LOST}?chiuso=si", status_code=303)
        clear_session(response, front.settings.instance)
        return response

    return router


async def _waiting(front: Front, who: Principal | None) -> Asked | None:
    """Their own request that nobody has decided yet."""
    requests = await front.desk.requests_of(who.account_id, who.school) if who is not None else []
    return next((each for each in requests if each.state == "open"), None)


def _customer_id(typed: str) -> str:
    """From whatever of the school's address was copied."""
    return typed.strip().partition("?")[0].rstrip("/").rpartition("/")[2].lower()[:60]
