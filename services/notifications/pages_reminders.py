"""The desk reminds a class: who was delivered credentials and never signed in gets a message, today at most one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from services.notifications.desk import desk_of
from services.notifications.reminders import remind_class
from services.notifications.views import class_of
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured
from shared.web.sessions import Principal

router = APIRouter(prefix="/consegne", include_in_schema=False)
api_router = APIRouter(prefix="/api/notifications", tags=["notifications"], responses=problems(401, 403, 503))
Reminding = Annotated[Principal, Depends(allowed(Action.resend))]


class RemindedOut(BaseModel):
    """`reminded`: for how many people a message was asked for now."""

    reminded: int


@router.post("/classi/{class_id}/promemoria", name="remind_class")
async def remind(request: Request, who: Reminding, class_id: str) -> Response:
    """Back to the class, which says how many were reminded."""
    reminded = await _remind(request, who, class_id)
    back = request.url_for("class", class_id=class_id).path
    return RedirectResponse(f"{back}?promemoria={reminded}", 303)


@api_router.post(
    "/classes/{class_id}/reminders", openapi_extra=secured(SESSION), responses=problems(404), status_code=202
)
async def ask_reminders(request: Request, who: Reminding, class_id: str) -> RemindedOut:
    """Reminds everybody of the class who was delivered credentials, still live, and never signed in: nobody twice on one
    day, nobody more than twice. Asked again on that day, it reminds nobody."""
    return RemindedOut(reminded=await _remind(request, who, class_id))


async def _remind(request: Request, who: Principal, class_id: str) -> int:
    desk = desk_of(request)
    school, one = await class_of(desk, who, class_id)
    done = await remind_class(desk.commands.store, school.code, [one.id], desk.now, who.account_id)
    return len(done.holders)
