"""The desk's form for a policy: from a policy to its fields, and from what was typed to a policy."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registry import policy_words
from services.registry.domain.credential_rules import CHANNELS, Contradiction, contradictions
from services.registry.policy_terms import ROLE_FIELDS, SCHOOL_FIELDS
from shared.contracts.policy import Channel, CredentialPolicy, HolderRole, RolePolicy
from shared.web.i18n import N_, gettext

ROLES: Final = (HolderRole.guardian, HolderRole.pupil_under_age, HolderRole.pupil_of_age)
"""Those whose rules are chosen here; staff get their access from the administrator."""
_STAFF: Final = RolePolicy(channel=Channel.none)
_YES: Final = "si"
_DAYS: Final = {"initial_secret_days": (1, 90), "reminder_days": (1, 60)}
_CHECKBOXES: Final = ("exclusive", "pupils_of_age_justify_alone")


def name_of(role: HolderRole | None, field: str) -> str:
    """What a rule is called in the form."""
    return field if role is None else f"{role.value}_{field}"


def fields(policy: CredentialPolicy) -> dict[str, str]:
    """What the form shows of it; a checkbox that is not ticked is an empty text."""
    found = {name_of(None, name): _shown(getattr(policy, name)) for name in SCHOOL_FIELDS}
    for role in ROLES:
        rules = policy.of(role)
        found |= {name_of(role, name): _shown(getattr(rules, name)) for name in ROLE_FIELDS}
    return found


def typed(form: FormData) -> dict[str, str]:
    """The form's own fields of what was sent, as they were typed."""
    names = [name_of(None, name) for name in SCHOOL_FIELDS]
    names += [name_of(role, name) for role in ROLES for name in ROLE_FIELDS]
    return {name: _text(form, name) for name in (*names, "dal")}


def read(values: Mapping[str, str]) -> tuple[CredentialPolicy | None, dict[str, str]]:
    """The policy, or by field what has to be corrected, in the request's language."""
    data: dict[str, Any] = {name: _value(name, values[name]) for name in SCHOOL_FIELDS}
    for role in ROLES:
        data[role.value] = {name: _value(name, values[name_of(role, name)]) for name in ROLE_FIELDS}
    data[HolderRole.staff.value] = _STAFF
    try:
        policy = CredentialPolicy.model_validate(data)
    except ValidationError as wrong:
        return None, {_field(error["loc"]): _said(error["loc"]) for error in wrong.errors()}
    errors = {_of(each): policy_words.wrong(each) for each in contradictions(policy)}
    return policy, errors


def read_day(text: str) -> tuple[date | None, str]:
    """(the day, "") or (None, what is wrong with it)."""
    try:
        return date.fromisoformat(text), ""
    except ValueError:
        return None, gettext(N_("Indichi la data da cui vale, come 14/09/2026."))


def channels(role: HolderRole) -> list[tuple[str, str]]:
    """The ways that are on offer for a role: (value, what it is called)."""
    return [(channel.value, gettext(policy_words.CHANNELS_IN_SHORT[channel])) for channel in CHANNELS[role]]


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    if value is None or value is False:
        return ""
    return _YES if value is True else str(value)


def _value(name: str, text: str) -> Any:
    if name in _CHECKBOXES:
        return text == _YES
    return text or None


def _field(location: tuple[int | str, ...]) -> str:
    return "_".join(str(part) for part in location[:2])


def _said(location: tuple[int | str, ...]) -> str:
    name = str(location[-1])
    if name in _DAYS:
        least, most = _DAYS[name]
        return gettext(N_("Un numero di giorni da %(least)s a %(most)s.")) % {"least": least, "most": most}
    if name in ("campaign_opens", "local_credentials_until", "staff_password_only_until"):
        return gettext(N_("Una data come 14/09/2026, oppure nulla."))
    return gettext(N_("Scelga una delle voci."))


def _of(contradiction: Contradiction) -> str:
    return name_of(contradiction.role, contradiction.field)
