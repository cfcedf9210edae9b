"""Who may hand over what: the desk every slip of its school, a teacher those of the classes that they teach (P5)."""

from typing import Annotated

from fastapi import Depends

from services.notifications import queries
from services.notifications.desk import DeskUser, NotFound
from services.notifications.operations import ChangedMeanwhile, Desk
from services.notifications.operations_hand_over import NoSuchSlip
from services.notifications.queries import School, SchoolClass
from services.notifications.slips import SlipOfHolder, classes_of_teacher, slips, teaches
from services.notifications.views import class_of, school_of
from shared.decider import Refused
from shared.web.actions import Action, allowed, may
from shared.web.errors import Problem
from shared.web.i18n import N_

InClass = Annotated[DeskUser, Depends(allowed(Action.hand_over_in_class))]

_WHY = {
    "superseded": N_(
        "Questo foglio non vale più: le credenziali sono state sostituite, sospese o chiuse. Lo restituisca alla segreteria."
    ),
    "expired": N_(
        "La password di questo foglio è scaduta: la segreteria ne emette un’altra. Lo restituisca alla segreteria."
    ),
    "already_handed_over": N_(
        "Questo foglio risulta già consegnato: se è un errore, annulli prima quella consegna."
    ),
    "not_handed_over": N_("Non risulta nessuna consegna di questo foglio: non c’è niente da annullare."),
    "not_printed": N_("Questo foglio non è ancora stato stampato."),
    "delegate_unnamed": N_("Scriva chi ritira."),
    "reason_needed": N_("Scriva perché il foglio non risulta consegnato."),
}


def at_the_desk(who: DeskUser) -> bool:
    return may(who, Action.hand_over)


async def class_to_hand_over(desk: Desk, who: DeskUser, class_id: str) -> tuple[School, SchoolClass]:
    """A class that is another school's, or that this teacher does not teach, does not exist for them."""
    school, one = await class_of(desk, who, class_id)
    if not at_the_desk(who) and not await teaches(
        desk.commands.store.pool, who.person_id, one.id, school.code, desk.now
    ):
        raise NotFound()
    return school, one


async def slip_to_hand_over(
    desk: Desk, who: DeskUser, slip_id: str
) -> tuple[School, SlipOfHolder, SchoolClass | None]:
    """The slip, and the class of this teacher in which it is handed over; None at the desk."""
    school = await school_of(desk, who)
    pool = desk.commands.store.pool
    slip = (await slips(pool, [slip_id], school.code)).get(slip_id)
    if slip is None:
        raise NotFound()
    if at_the_desk(who):
        return school, slip, None
    for one in await classes_of_teacher(pool, who.person_id, school.code, desk.now):
        if one.id in slip.where():
            return school, slip, one
    raise NotFound()


async def class_of_slip(desk: Desk, who: DeskUser, slip: SlipOfHolder, class_id: str) -> SchoolClass:
    """One of those in which it may be handed over."""
    found = await queries.school_class(desk.commands.store.pool, class_id, who.school)
    if found is None or found.id not in slip.where():
        raise NotFound()
    return found


def problem(trouble: Exception) -> Problem:
    """What became of a hand-over that could not be recorded, for people."""
    match trouble:
        case NoSuchSlip():
            return NotFound()
        case Refused(reason=reason) if reason in _WHY:
            slug = reason.replace("_", "-")
            return Problem(409, slug, N_("La consegna non si può registrare"), _WHY[reason])
        case ChangedMeanwhile():
            return Problem(
                409,
                "changed-meanwhile",
                N_("Qualcosa è cambiato nel frattempo"),
                N_("Altri stanno registrando le stesse consegne: torni all’elenco aggiornato e riprovi."),
            )
    raise trouble
