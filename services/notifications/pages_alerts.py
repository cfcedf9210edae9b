"""What the desk is alerted to: what it means, what to do, settled with a note (P11)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications.desk import DeskUser, NotFound, desk_of
from services.notifications.notes import filled
from services.notifications.operations_alerts import NoSuchAlert, alerts, settle
from services.notifications.views import render, school_of, traceparent
from shared.web.actions import Action, allowed
from shared.web.i18n import N_, gettext

router = APIRouter(prefix="/consegne", include_in_schema=False)
Settling = Annotated[DeskUser, Depends(allowed(Action.settle_alerts))]
ALERTS = "/consegne/avvisi"


@router.get("/avvisi", name="alerts")
async def show_alerts(request: Request, who: Settling, chiuso: str = "") -> HTMLResponse:
    return await _page(request, who, settled=bool(chiuso))


@router.post("/avvisi/{alert}", name="settle_alert")
async def settle_alert(
    request: Request, who: Settling, alert: str, nota: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Somebody has looked at it: the note says what came out."""
    note, wrong = filled(nota, gettext(N_("Scriva che cosa è stato accertato o fatto.")))
    if wrong:
        return await _page(request, who, missing=alert, wrong=wrong)
    desk = desk_of(request)
    try:
        await settle(
            desk,
            alert,
            note,
            school=who.school,
            actor=who.account_id,
            person=who.person_id,
            traceparent=traceparent(request),
        )
    except NoSuchAlert:
        raise NotFound() from None
    return RedirectResponse(f"{ALERTS}?chiuso=si", status_code=303)


async def _page(
    request: Request, who: DeskUser, *, missing: str = "", wrong: str = "", settled: bool = False
) -> HTMLResponse:
    desk = desk_of(request)
    school = await school_of(desk, who)
    found = await alerts(desk.commands.store.pool, school.code)
    return render(
        request,
        who,
        "alerts.html",
        school,
        active=ALERTS,
        status_code=422 if missing else 200,
        open=[one for one in found if one.settled_at is None],
        settled=[one for one in found if one.settled_at is not None],
        missing=missing,
        errors={f"nota-{missing}": wrong} if missing else {},
        just_settled=settled,
    )
