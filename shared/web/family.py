"""The family's one navigation, whichever service serves the page; in all languages (M14)."""

from collections.abc import Sequence

from shared.web.actions import Action, may
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal
from shared.web.templating import NavItem

_FAMILY: tuple[tuple[Action, str, str], ...] = (
    (Action.own_account, N_("Registro"), "/registro/"),
    (Action.read_circulars, N_("Circolari"), "/circolari/"),
    (Action.own_account, N_("Il mio accesso"), "/accesso/il-mio-accesso"),
)


def family_navigation(principal: Principal | None, active: str) -> Sequence[NavItem]:
    """What a parent or a pupil finds on every page of theirs. `active`: the href of the entry that it belongs to."""
    if principal is None:
        return ()
    return [
        NavItem(gettext(label), href, href == active)
        for action, label, href in _FAMILY
        if may(principal, action)
    ]
