"""The desk's one navigation, whichever service serves the page: what the table of actions lets this person do."""

from collections.abc import Sequence

from shared.web.actions import Action, may
from shared.web.family import family_navigation
from shared.web.i18n import N_, gettext
from shared.web.sessions import STAFF, Principal
from shared.web.templating import NavItem

_DESK: tuple[tuple[Action, str, str], ...] = (
    (Action.see_deliveries, N_("Classi"), "/consegne/"),
    (Action.see_people, N_("Persone"), "/registro/sportello/persone"),
    (Action.import_files, N_("Importa"), "/registro/sportello/importa"),
    (Action.request_regeneration, N_("Richieste"), "/accesso/sportello/richieste"),
    (Action.run_campaigns, N_("Campagne"), "/consegne/campagne"),
    (Action.publish_circulars, N_("Circolari"), "/consegne/circolari"),
    (Action.settle_alerts, N_("Avvisi"), "/consegne/avvisi"),
    (Action.settle_wrong_child, N_("Segnalazioni"), "/registro/sportello/segnalazioni"),
    (Action.see_policy, N_("Regola"), "/registro/sportello/regola"),
    (Action.manage_staff, N_("Personale"), "/accesso/sportello/personale"),
)

_TEACHER: tuple[tuple[Action, str, str], ...] = (
    (Action.hand_over_in_class, N_("Consegna dei tagliandi"), "/consegne/consegna"),
    (Action.read_circulars, N_("Circolari"), "/circolari/"),
)
"""For who has no list of classes at the desk."""


def navigation_of(principal: Principal | None, active: str) -> Sequence[NavItem]:
    """Of pages that families and staff both have: the desk's for staff, the family's for the others."""
    if principal is None or principal.roles & STAFF:
        return desk_navigation(principal, active)
    return family_navigation(principal, active)


def desk_navigation(principal: Principal | None, active: str) -> Sequence[NavItem]:
    """`active`: the href of the entry that the page belongs to."""
    if principal is None:
        return ()
    entries = _DESK if may(principal, Action.see_deliveries) else (*_TEACHER, *_DESK)
    return [
        NavItem(gettext(label), href, href == active)
        for action, label, href in entries
        if may(principal, action)
    ]
