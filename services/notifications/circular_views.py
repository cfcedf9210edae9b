"""What the desk's pages about circulars share: their operations, their dress, the classes that a circular names."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse

from services.notifications import labels_circulars, queries
from services.notifications.operations import Desk
from services.notifications.operations_circulars import Board
from services.notifications.queries import School
from services.notifications.views import render, traceparent
from shared.contracts.event import Context
from shared.ids import new_id
from shared.web.actions import Action, allowed
from shared.web.errors import Problem
from shared.web.i18n import N_
from shared.web.sessions import Principal

ACTIVE = "/consegne/circolari"
Publisher = Annotated[Principal, Depends(allowed(Action.publish_circulars))]
TAKEN = N_("In questo anno scolastico c’è già una circolare con questo numero: ne scelga un altro.")


def board_of(request: Request) -> Board:
    """The operations about circulars, put there by the composition root."""
    board: Board = request.app.state.board
    return board


def context_of(request: Request, who: Principal) -> Context:
    return Context(actor=who.account_id, correlation=new_id(), traceparent=traceparent(request))


async def titles_of(desk: Desk, school: str, class_ids: Sequence[str]) -> list[str]:
    """The titles of these classes, as lists have them."""
    named = set(class_ids)
    return [c.title for c in await queries.classes(desk.commands.store.pool, school) if c.id in named]


def number_taken() -> Problem:
    return Problem(409, "number-taken", N_("Il numero è già di un’altra circolare"), TAKEN)


def desk_page(
    request: Request, who: Principal, name: str, school: School, status_code: int = 200, **context: Any
) -> HTMLResponse:
    return render(
        request,
        who,
        name,
        school,
        active=ACTIVE,
        status_code=status_code,
        words=labels_circulars,
        customer_id=school.customer_id,
        **context,
    )


def go_to(request: Request, name: str, **parameters: str) -> RedirectResponse:
    return RedirectResponse(request.url_for(name, **parameters).path, 303)
