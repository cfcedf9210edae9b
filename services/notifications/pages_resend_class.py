"""Sending again to those selected in a class, each with the same secret, for one reason (M8)."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from services.notifications import labels, queries
from services.notifications.desk import NotFound, desk_of
from services.notifications.domain.states import Step
from services.notifications.pages_resend import DESK_REASONS, Resending
from services.notifications.resending import NoSuchDelivery, ResendOrder, resend
from services.notifications.views import class_of, render, traceparent
from shared.contracts.notifications import ResendingReason
from shared.decider import Refused
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext

router = APIRouter(prefix="/consegne", include_in_schema=False)


@router.post("/classi/{class_id}/reinvii", name="resend_selected")
async def resend_selected(
    request: Request,
    who: Resending,
    class_id: str,
    holders: Annotated[list[str] | None, Form(max_length=1000)] = None,
    motivo: Annotated[str, Form(max_length=40)] = "",
    passo: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Asks for the reason first; whoever cannot be sent to is left out, and counted."""
    desk = desk_of(request)
    school, one = await class_of(desk, who, class_id)
    of_class = await queries.holders(desk.commands.store.pool, [one.id], desk.now)
    named = [holder for holder in of_class if holder.id in set(holders or ())]
    if {holder.id for holder in named} != set(holders or ()):
        raise NotFound()
    chosen = [holder for holder in named if holder.standing.allows(Step.resend) and holder.facts.delivery]
    if not chosen:
        raise Problem(
            409,
            "nothing-to-resend",
            N_("Non c’è niente da inviare di nuovo"),
            N_("Selezioni persone la cui e-mail è già partita e che non sono ancora entrate."),
        )
    if motivo not in {reason.value for reason in DESK_REASONS}:
        missing = {"motivo": gettext(N_("Indichi perché si invia di nuovo."))} if passo else {}
        return render(
            request,
            who,
            "resend_class.html",
            school,
            status_code=422,
            school_class=one,
            chosen=chosen,
            reasons=[(reason.value, gettext(labels.RESENDING[reason]), "") for reason in DESK_REASONS],
            errors=missing,
        )
    sent = 0
    for holder in chosen:
        assert holder.facts.delivery is not None
        order = ResendOrder(
            holder.facts.delivery.delivery,
            school.code,
            ResendingReason(motivo),
            who.account_id,
            traceparent(request),
        )
        try:
            await resend(desk, order)
        except (NoSuchDelivery, Refused):
            continue
        sent += 1
    left_out = len(named) - sent
    return RedirectResponse(f"/consegne/classi/{one.id}?reinviate={sent}&escluse={left_out}", status_code=303)
