"""The desk's page of requests for regeneration: who asks and why, and the one decision (E6)."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from services.identity import desk_words
from services.identity.desk import Request as Asked
from services.identity.desk_acts import DIES, Act
from services.identity.pages_desk import (
    CARD,
    REQUESTS,
    Desk,
    Filled,
    Once,
    Text,
    acting_by,
    filled_form,
    render,
)
from services.identity.refusals import problem_of, telling
from services.identity.web import Front
from shared.decider import Refused
from shared.ids import new_id
from shared.web.actions import Action, allowed, may
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

Deciding = Annotated[Principal, Depends(allowed(Action.decide_regeneration))]
GRANT = Act(
    "accogli",
    Action.decide_regeneration,
    N_("Accogli"),
    N_("Accogliere la richiesta di %(name)s?"),
    N_("Accogli e rigenera"),
    N_("Richiesta accolta"),
    "",
)
DENY = Act(
    "respingi",
    Action.decide_regeneration,
    N_("Respingi"),
    N_("Respingere la richiesta di %(name)s?"),
    N_("Respingi la richiesta"),
    N_("Richiesta respinta"),
    "",
    checks=False,
)
_CONSEQUENCES = {
    GRANT.slug: (
        DIES,
        N_("Si emettono credenziali nuove, per la via che la regola della scuola prevede."),
        N_("La decisione resta nella storia con il suo nome."),
    ),
    DENY.slug: (
        N_("Le credenziali attuali non cambiano."),
        N_("La decisione resta nella storia con il suo nome. Chi chiede ancora apre una richiesta nuova."),
    ),
}


def request_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _reading(router, front)
    for act in (GRANT, DENY):
        _decision(router, front, act)
    return router


def _reading(router: APIRouter, front: Front) -> None:
    @router.get(REQUESTS, name="requests")
    async def requests(request: Request, who: Desk) -> Response:
        waiting = await front.desk.open_requests(who.school)
        decided = await front.desk.decided_requests(who.school)
        actors = {r.decider or r.asker for r in (*waiting, *decided)}
        return await render(
            front,
            request,
            who,
            "requests.html",
            active=REQUESTS,
            waiting=waiting,
            decided=decided,
            names=await front.desk.names(actors),
            may_decide=may(who, Action.decide_regeneration),
            here=REQUESTS,
        )

    @router.get(f"{REQUESTS}/{{asked}}", name="request")
    async def one(request: Request, who: Desk, asked: str, fatto: str = "") -> Response:
        found = await _found(front, asked, who)
        done = {GRANT.slug: GRANT, DENY.slug: DENY}.get(fatto)
        return await render(
            front,
            request,
            who,
            "request.html",
            active=REQUESTS,
            asked=found,
            names=await front.desk.names({found.asker, found.decider or found.asker}),
            done=done if found.state != "open" else None,
            acts=(GRANT, DENY) if found.state == "open" and may(who, Action.decide_regeneration) else (),
            here=f"{REQUESTS}/{found.id}",
            back=REQUESTS,
            card=f"{CARD}/{quote(found.account)}",
            deliveries=f"/consegne/titolari/{quote(found.account)}",
        )


def _decision(router: APIRouter, front: Front, act: Act) -> None:
    path = f"{REQUESTS}/{{asked}}/{act.slug}"

    async def page(
        request: Request, who: Principal, asked: Asked, key: str, filled: Filled | None = None
    ) -> Response:
        errors = {name: gettext(text) for name, text in filled.errors.items()} if filled else {}
        return await render(
            front,
            request,
            who,
            "request_decide.html",
            active=REQUESTS,
            status=422 if errors else 200,
            act=act,
            asked=asked,
            title=gettext(act.title) % {"name": asked.name or asked.user_code or "—"},
            consequences=[gettext(sentence) for sentence in _CONSEQUENCES[act.slug]],
            errors=errors,
            filled=filled,
            checks=[(check.value, gettext(label)) for check, label in desk_words.CHECKS.items()],
            key=key,
            back=f"{REQUESTS}/{asked.id}",
        )

    async def form(request: Request, who: Deciding, asked: str) -> Response:
        found = await _found(front, asked, who)
        if found.state != "open":
            return RedirectResponse(f"{REQUESTS}/{found.id}", status_code=303)
        return await page(request, who, found, new_id())

    async def decide(
        request: Request,
        who: Deciding,
        asked: str,
        motivo: Text = "",
        controllo: Text = "",
        chiave: Once = "",
    ) -> Response:
        found = await _found(front, asked, who)
        filled = filled_form(act, motivo, controllo)
        if filled.errors:
            return await page(request, who, found, chiave or new_id(), filled)
        does = acting_by(who, act.slug, found.id, filled, chiave)
        async with telling():
            if act is DENY or filled.check is None:
                await front.life.deny(found.id, filled.reason, does)
            else:
                await front.life.grant(found.id, filled.check, filled.reason, does)
        front.wake_issuer()
        return RedirectResponse(f"{REQUESTS}/{found.id}?fatto={act.slug}", status_code=303)

    router.add_api_route(path, form, methods=["GET"], name=f"request_{act.slug}")
    router.add_api_route(path, decide, methods=["POST"])


async def _found(front: Front, asked: str, who: Principal) -> Asked:
    found = await front.desk.request(asked, who.school)
    if found is None:
        raise problem_of(Refused("unknown_request", ""))
    return found
