"""One holder at the desk, and how to find them: a search, the whole history, what can be done, print now (M7, P9)."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from services.notifications import queries
from services.notifications.desk import NotFound, Who, desk_of
from services.notifications.domain.delivery import MAIL_CHANNELS
from services.notifications.domain.states import Step
from services.notifications.one_holder import OneHolder, hand_overs, one_holder
from services.notifications.searching import search
from services.notifications.views import render, school_of

router = APIRouter(prefix="/consegne", include_in_schema=False)
_JUST_NOW = timedelta(minutes=10)
_LOOKS = 15
"""How often a page that waits for a slip looks, a second apart."""


@router.get("/cerca", name="search")
async def find(request: Request, who: Who, q: Annotated[str, Query(max_length=100)] = "") -> HTMLResponse:
    """People by the beginning of their names or of their user code, and classes."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    found = await search(desk.commands.store.pool, school.code, q, desk.now)
    return render(request, who, "search.html", school, q=q, found=found)


@router.get("/titolari/{account}", name="holder")
async def show_holder(
    request: Request,
    who: Who,
    account: str,
    stampa: str = "",
    generazione: Annotated[int, Query(ge=0, le=100_000)] = 0,
    giro: Annotated[int, Query(ge=0, le=1000)] = 0,
) -> HTMLResponse:
    """Where a holder's credentials stand, and all that was done. With `stampa=ora` it waits, without a script, for a
    slip that was issued a moment ago (of this `generazione`, or a later one), and offers to print it."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    one = await one_holder(desk.commands.store.pool, account, school.code, desk.now)
    if one is None:
        raise NotFound()
    now = stampa == "ora"
    patient = giro < _LOOKS
    slip = _slip(one, generazione, desk.now - _JUST_NOW if patient else None) if now else None
    arrives = now and slip is None and not _by_mail(one)
    return render(
        request,
        who,
        "one_holder.html",
        school,
        one=one,
        ready=slip is Step.print,
        waits=arrives and patient,
        late=arrives and not patient,
        again=f"/consegne/titolari/{one.account}?stampa=ora&generazione={generazione}&giro={giro + 1}",
    )


@router.get("/recapiti/{delivery}", name="delivery")
async def show_delivery(request: Request, who: Who, delivery: str) -> HTMLResponse:
    """One delivery with everything that was tried, and what the mail server said."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    school = await school_of(desk, who)
    found = await queries.delivery(pool, delivery, school.code)
    if found is None:
        raise NotFound()
    holder = await queries.holder_name(pool, found["holder"])
    return render(
        request,
        who,
        "delivery.html",
        school,
        delivery=found,
        holder=holder,
        steps=await queries.steps(pool, delivery),
        hand_overs=(await hand_overs(pool, [delivery]))[delivery],
    )


def _slip(one: OneHolder, generation: int, since: datetime | None) -> Step | None:
    """What is to be done with the slip that is awaited: print it, or, on paper already, hand it over; None while it is
    not there. `since`: one that was issued earlier is another, which the new one is about to replace."""
    here = one.here
    if here is None or one.school_class is None or (one.generation or 0) < generation:
        return None
    if since is not None and (here.issued_at is None or here.issued_at < since):
        return None
    return here.standing.step if here.standing.step in (Step.print, Step.hand_over) else None


def _by_mail(one: OneHolder) -> bool:
    return one.here is not None and one.here.facts.channel in MAIL_CHANNELS
