"""Who may sit at the desk: staff of the school itself, as the table of actions has it (DESIGN 7)."""

from typing import Annotated

from fastapi import Depends, Request

from services.notifications.operations import Desk
from shared.web.actions import Action, allowed
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_
from shared.web.sessions import Principal

DeskUser = Principal
Who = Annotated[DeskUser, Depends(allowed(Action.see_deliveries))]
Printing = Annotated[DeskUser, Depends(allowed(Action.print_slips))]
HandingOver = Annotated[DeskUser, Depends(allowed(Action.hand_over))]


class NotFound(Problem):
    """What does not exist, or is another school's: the two answers are the same."""

    def __init__(self) -> None:
        super().__init__(404, "not-found", TITLES[404], N_("Non esiste, o non è della sua scuola."))


def desk_of(request: Request) -> Desk:
    """The desk's operations, put there by the composition root."""
    desk: Desk = request.app.state.desk
    return desk
