"""Sending one mail again: why, and what that will do (M8). The page and the same for programs."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Form, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import labels, queries
from services.notifications.desk import DeskUser, NotFound, desk_of
from services.notifications.resending import NoSuchDelivery, ResendOrder, resend
from services.notifications.views import render, school_of, traceparent
from shared.contracts.notifications import ResendingReason
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext

router = APIRouter(prefix="/consegne", include_in_schema=False)
api_router = APIRouter(prefix="/api/notifications", tags=["notifications"])
Resending = Annotated[DeskUser, Depends(allowed(Action.resend))]
DESK_REASONS: Final = tuple(r for r in ResendingReason if r is not ResendingReason.address_corrected)
REFUSED: Final = {
    "no_address": N_("Non c’è un indirizzo a cui inviare: prima lo si corregge."),
    "no_data_access": N_("Questa persona non può vedere i dati dell’alunno: non si invia nulla."),
    "ended": N_("La password iniziale è già stata usata, sostituita o è scaduta: si emette di nuovo."),
    "expired": N_("La password iniziale è scaduta: si emette di nuovo."),
    "superseded": N_("Queste credenziali sono state usate o sostituite: non c’è più nulla da inviare."),
    "on_its_way": N_("Questa e-mail è già in partenza: non occorre inviarla di nuovo."),
    "not_a_mail": N_("Queste credenziali sono su un tagliando: si ristampa quello."),
}


class ResendRequest(BaseModel):
    """`reason`: not_received, deleted, other; an address is corrected in the registry, and the mail goes by itself."""

    model_config = ConfigDict(extra="forbid")
    reason: ResendingReason


@router.get("/recapiti/{delivery}/reinvio", name="resend")
async def ask_resend(request: Request, who: Resending, delivery: str) -> HTMLResponse:
    return await _page(request, who, delivery)


@router.post("/recapiti/{delivery}/reinvio")
async def do_resend(
    request: Request,
    who: Resending,
    delivery: str,
    motivo: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Back to the delivery, which shows that it is on its way."""
    if motivo not in {reason.value for reason in DESK_REASONS}:
        missing = {"motivo": gettext(N_("Indichi perché si invia di nuovo."))}
        return await _page(request, who, delivery, errors=missing, status_code=422)
    await _resend(request, who, delivery, ResendingReason(motivo))
    return RedirectResponse(f"/consegne/recapiti/{delivery}", status_code=303)


@api_router.post(
    "/deliveries/{delivery}/resend",
    status_code=202,
    responses=problems(401, 403, 404, 409, 422, 503),
    openapi_extra=secured(SESSION),
)
async def resend_delivery(
    request: Request, who: Resending, delivery: str, body: Annotated[ResendRequest, Body()]
) -> dict[str, str]:
    """The same secret, to the address as it is known now, under another Message-ID; only while its sealed copy exists."""
    await _resend(request, who, delivery, body.reason)
    return {"delivery": delivery}


async def _resend(request: Request, who: DeskUser, delivery: str, reason: ResendingReason) -> None:
    order = ResendOrder(delivery, who.school, reason, who.account_id, traceparent(request))
    try:
        await resend(desk_of(request), order)
    except NoSuchDelivery:
        raise NotFound() from None
    except Refused as refused:
        detail = REFUSED.get(refused.reason, "")
        raise Problem(
            409, refused.reason.replace("_", "-"), N_("Non si può inviare di nuovo"), detail
        ) from None


async def _page(
    request: Request,
    who: DeskUser,
    delivery: str,
    errors: dict[str, str] | None = None,
    status_code: int = 200,
) -> HTMLResponse:
    desk = desk_of(request)
    school = await school_of(desk, who)
    pool = desk.commands.store.pool
    found = await queries.delivery(pool, delivery, school.code)
    if found is None:
        raise NotFound()
    return render(
        request,
        who,
        "resend.html",
        school,
        status_code=status_code,
        delivery=found,
        holder=await queries.holder_name(pool, found["holder"]),
        reasons=[(reason.value, gettext(labels.RESENDING[reason]), "") for reason in DESK_REASONS],
        errors=errors or {},
    )
