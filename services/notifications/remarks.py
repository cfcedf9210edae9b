"""Why a holder has no credentials, beside the state in the class list: the reason for each, not only the state (M7)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from services.notifications.campaigns import CampaignRow
from services.notifications.domain.campaign import CampaignState
from services.notifications.domain.states import State
from services.notifications.queries import Holder, School
from shared.contracts.identity import RefusalReason
from shared.contracts.policy import Channel, HolderRole
from shared.dates import short_date
from shared.policies import local_day
from shared.web.i18n import N_, gettext

REFUSALS: Final[Mapping[RefusalReason, str]] = {
    RefusalReason.no_account: N_("nessun accesso dagli anni scorsi"),
    RefusalReason.role_without_credentials: N_("la scuola non ne prevede per questo ruolo"),
    RefusalReason.no_data_access: N_("non può vedere i dati dell’alunno"),
    RefusalReason.local_credentials_ended: N_("la scuola non dà più credenziali proprie"),
}
_ROLES: Final[Mapping[str, tuple[HolderRole, ...]]] = {
    "pupil": (HolderRole.pupil_under_age, HolderRole.pupil_of_age),
    "guardian": (HolderRole.guardian,),
}


def remarks(
    everyone: Sequence[Holder], school: School, today: date, holding: Sequence[CampaignRow] = ()
) -> dict[str, str]:
    """By holder: why nothing was issued, or what those wait for to whom nothing was issued or sent yet. `holding`: the
    school's campaigns that are not open."""
    found = {holder.id: _remark(holder, school, today, holding) for holder in everyone}
    return {holder: remark for holder, remark in found.items() if remark}


def _remark(holder: Holder, school: School, today: date, holding: Sequence[CampaignRow]) -> str:
    facts = holder.facts
    match holder.standing.state:
        case State.no_data_access:
            return gettext(REFUSALS[RefusalReason.no_data_access])
        case State.not_foreseen | State.not_issued if facts.refusal is not None:
            return gettext(REFUSALS[facts.refusal])
        case State.waiting if not facts.issued:
            return _held(holder, holding) or _waits_for(holder, school, today)
        case State.queued:
            return _held(
                holder, [c for c in holding if holder.issued_at and holder.issued_at >= c.planned_at]
            )
    return ""


def _held(holder: Holder, holding: Sequence[CampaignRow]) -> str:
    """The campaign that holds the holder back, as far as the class and the role tell."""
    for one in holding:
        if set(_ROLES[holder.role]) & set(one.roles) and (not one.classes or holder.class_id in one.classes):
            if one.state is CampaignState.paused:
                return gettext(N_("che riprenda la campagna «%(title)s»")) % {"title": one.title}
            day = short_date(local_day(one.opens))
            return gettext(N_("della campagna «%(title)s», dal %(day)s")) % {"title": one.title, "day": day}
    return ""


def _waits_for(holder: Holder, school: School, today: date) -> str:
    """As far as the school's policy tells."""
    policy = school.policy
    if policy is None:
        return gettext(N_("delle regole della scuola sulle credenziali"))
    channels = {policy.of(role).channel for role in _ROLES[holder.role]}
    if channels == {Channel.none}:
        return gettext(REFUSALS[RefusalReason.role_without_credentials])
    if policy.campaign_opens is not None and today < policy.campaign_opens:
        return gettext(N_("dal %(day)s")) % {"day": short_date(policy.campaign_opens)}
    if Channel.institutional_mailbox in channels:
        if holder.facts.has_address:
            return gettext(N_("che la casella istituzionale sia attivata"))
        return gettext(N_("della casella istituzionale"))
    return ""
