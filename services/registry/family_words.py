"""What a parent can do, what a pupil can, and why something is closed: in sentences, in the family's language (P8, M4).

Texts are filled with `name`, the pupil's given name.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from services.registry.domain.access import Closed, of_age, pupil_may_justify
from services.registry.people_queries import Relation
from shared.contracts.policy import Channel, CredentialPolicy, HolderRole
from shared.web.i18n import N_, gettext

RELATIONSHIPS: Final = {
    "father": N_("padre"),
    "mother": N_("madre"),
    "legal_guardian": N_("tutore"),
    "foster": N_("affidatario"),
    "grandfather": N_("nonno"),
    "grandmother": N_("nonna"),
    "uncle": N_("zio"),
    "aunt": N_("zia"),
    "brother": N_("fratello"),
    "sister": N_("sorella"),
    "other": N_("familiare"),
}
CLOSED: Final[Mapping[Closed, tuple[str, str]]] = {
    Closed.reported: (
        N_("In attesa della segreteria"),
        N_(
            "Lei ha segnalato che questo alunno non è suo figlio. Finché la segreteria non decide, i suoi dati restano "
            "chiusi."
        ),
    ),
    Closed.restricted: (
        N_("Accesso ai dati non consentito"),
        N_(
            "Alla scuola risulta che lei non può consultare i dati di questo alunno. Per chiarimenti si rivolga alla "
            "segreteria."
        ),
    ),
    Closed.no_data_access: (
        N_("Accesso ai dati non consentito"),
        N_(
            "Alla scuola risulta che lei non può consultare i dati di questo alunno. Per chiarimenti si rivolga alla "
            "segreteria."
        ),
    ),
    Closed.consent_missing: (
        N_("Serve il consenso dell’alunno"),
        N_(
            "%(name)s è maggiorenne: in questa scuola decide se i genitori vedono i suoi dati. Può dare il consenso dalla "
            "propria pagina."
        ),
    ),
}
"""Why a child is closed to a parent: a title, and what to do. A link that ended is not shown at all."""
_SEES: Final = N_("vedere i dati di %(name)s che la scuola pubblica qui: assenze, voti, compiti, pagelle")
_CIRCULARS: Final = N_("leggere le circolari della scuola")
_JUSTIFIES: Final = N_("giustificare online le assenze di %(name)s")
_NOT_YET: Final = N_("giustificare online: la segreteria attiva il servizio a chi lo chiede")
_ASKED: Final = N_("giustificare online, per ora: l’ha chiesto, e la segreteria lo deve ancora attivare")
_OWN: Final = N_("vedere lezioni, compiti e materiali con le proprie credenziali")
_ALONE: Final = N_("giustificare da sé le proprie assenze, perché è maggiorenne")
_NOT_UNDER_AGE: Final = N_("giustificare le assenze: è minorenne")
_NOT_HERE: Final = N_("giustificare da sé le proprie assenze: in questa scuola lo fanno i genitori")
_NO_FAMILY: Final = N_("vedere i dati della famiglia")
_NO_CREDENTIALS: Final = N_("entrare con credenziali proprie: in questa scuola gli alunni non ne hanno")
_I_SEE: Final = N_("vedere lezioni, compiti e materiali")
_I_UNDER_AGE: Final = N_("giustificare le assenze: lo fa un genitore")


class Rights(NamedTuple):
    """Sentences that follow on *can* and *cannot*."""

    can: tuple[str, ...]
    cannot: tuple[str, ...]


def of_parent(relation: Relation, policy: CredentialPolicy | None, on: date) -> Rights:
    can, cannot = [_SEES, _CIRCULARS], list[str]()
    if relation.may_justify(policy, on):
        can.append(_JUSTIFIES)
    else:
        cannot.append(_ASKED if relation.service == "requested" else _NOT_YET)
    return _said(can, cannot, relation.student_given)


def of_child(relation: Relation, policy: CredentialPolicy | None, on: date) -> Rights:
    """What the pupil can do, as the parent is told."""
    born = relation.standing.birth_date
    role = HolderRole.pupil_of_age if of_age(born, on) else HolderRole.pupil_under_age
    if policy is None or policy.of(role).channel is Channel.none:
        return _said([], [_NO_CREDENTIALS], relation.student_given)
    can, cannot = [_OWN], list[str]()
    if pupil_may_justify(born, policy, on):
        can.append(_ALONE)
    else:
        cannot.append(_NOT_HERE if of_age(born, on) else _NOT_UNDER_AGE)
    cannot.append(_NO_FAMILY)
    return _said(can, cannot, relation.student_given)


def of_pupil(born: date | None, policy: CredentialPolicy | None, on: date) -> Rights:
    """What the pupil can do, as the pupil is told."""
    can, cannot = [_I_SEE, _CIRCULARS], list[str]()
    if pupil_may_justify(born, policy, on):
        can.append(_ALONE)
    else:
        cannot.append(_I_UNDER_AGE)
    return _said(can, [*cannot, _NO_FAMILY], "")


def why_closed(closed: Closed, relation: Relation) -> tuple[str, str]:
    title, text = CLOSED[closed]
    return gettext(title), gettext(text) % {"name": relation.student_given}


def _said(can: list[str], cannot: list[str], name: str) -> Rights:
    values = {"name": name}
    return Rights(tuple(gettext(t) % values for t in can), tuple(gettext(t) % values for t in cannot))
