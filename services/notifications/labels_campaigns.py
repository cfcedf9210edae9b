"""What a campaign's states, outcomes and people are called, in the words of a school office."""

from collections.abc import Mapping
from typing import Final

from services.notifications.campaigns import Outcome
from services.notifications.domain.campaign import CampaignState
from services.notifications.labels import Label
from shared.contracts.policy import HolderRole
from shared.web.i18n import N_, gettext

STATES: Final[Mapping[CampaignState, Label]] = {
    CampaignState.planned: Label(N_("Programmata"), "neutral", N_("Si apre da sola alla data scelta.")),
    CampaignState.open: Label(N_("In corso"), "progress", N_("Emette e invia da sola.")),
    CampaignState.paused: Label(N_("In pausa"), "warning", N_("Non emette e non invia nulla.")),
    CampaignState.completed: Label(N_("Conclusa"), "success", N_("Ognuno ha un esito.")),
    CampaignState.cancelled: Label(N_("Annullata"), "neutral", N_("Non riguarda più nessuno.")),
}
OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.waiting: N_("In attesa"),
    Outcome.sent: N_("Inviate"),
    Outcome.bounced: N_("Tornate indietro"),
    Outcome.failed: N_("Non recapitate"),
    Outcome.printed: N_("Stampate"),
    Outcome.activated: N_("Attivate"),
}
ROLES: Final[Mapping[str, str]] = {
    HolderRole.guardian.value: N_("Genitori e tutori"),
    HolderRole.pupil_under_age.value: N_("Alunni minorenni"),
    HolderRole.pupil_of_age.value: N_("Alunni maggiorenni"),
}


def titles() -> list[str]:
    """The outcomes as heads of columns, in the page's language."""
    return [gettext(word) for word in OUTCOMES.values()]
