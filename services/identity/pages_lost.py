"""Whoever has lost their credentials: what their school's policy says, and whom to ask. No dead end (E6, M8)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from services.identity.lost import advice
from services.identity.policies import today_in_rome
from services.identity.queries import School
from services.identity.web import Front, front_of, start_of
from shared.contracts.identity import AccountRole
from shared.web.actions import Action, allowed
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal, optional_principal

LOST = "/accesso/smarrite"
Anyone = Annotated[Principal | None, Depends(optional_principal)]
Holder = Annotated[Principal, Depends(allowed(Action.own_account))]
Field = Annotated[str, Form(max_length=1024)]
UNKNOWN_SCHOOL = N_(
    "Nessuna scuola ha questo indirizzo: lo copi dal tagliando o dall’e-mail, dopo «/s/», oppure chieda alla segreteria."
)


def lost_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _reading(router, front)
    return router


def _reading(router: APIRouter, front: Front) -> None:
    @router.get(LOST, name="lost")
    async def lost(
        request: Request, who: Anyone, scuola: Annotated[str | None, Query(max_length=200)] = None
    ) -> Response:
        """`scuola`: its customer id, as in its address /s/<customer id>; else the one last opened on this device."""
        asked = _customer_id(scuola)
        school: School | None
        if who is None and asked:
            school = await front.school_at(asked)
        else:
            school = await front.school_of(request, who)
        unknown = who is None and bool(asked) and school is None
        mine = await front.own.mine(who) if who is not None else None
        now = front.commands.store.clock()
        policy = await front.queries.policy(school.code, now) if school is not None else None
        told = advice(policy, today_in_rome(now), mine.policy_role if mine is not None else None)
        response = front.pages.render(
            request,
            "lost.html",
            status_code=422 if unknown else 200,
            school=front_of(school),
            known=school is not None,
            told=[(gettext(each.whom), [gettext(one) for one in each.sentences]) for each in told],
            errors={"scuola": gettext(UNKNOWN_SCHOOL)} if unknown else {},
            asked=asked if unknown else "",
            mine=mine,
            family=mine is not None and mine.role is not AccountRole.staff,
            back=start_of(mine.role) if mine is not None else "/accesso/",
        )
        if who is None and asked and school is not None:
            front.remember_school(response, school)
        return response

    @router.get("/accesso/credenziali-perse")
    async def moved() -> Response:
        return RedirectResponse(LOST, status_code=308)


def _customer_id(typed: str | None) -> str:
    """From whatever of the school's address was copied."""
    return (typed or "").strip().rstrip("/").rpartition("/")[2].partition("?")[0].lower()[:60]
