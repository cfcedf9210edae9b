"""What a credential policy may not say: rules that contradict each other, or that nobody could keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from shared.contracts.policy import Channel, CredentialPolicy, HolderRole, PinRule

LONGEST_AHEAD: Final = timedelta(days=730)
"""How far ahead a policy may be adopted: beyond it, a year was mistyped."""
CHANNELS: Final = {
    HolderRole.guardian: (Channel.email, Channel.slip, Channel.none),
    HolderRole.pupil_under_age: (Channel.institutional_mailbox, Channel.slip, Channel.none),
    HolderRole.pupil_of_age: (Channel.institutional_mailbox, Channel.slip, Channel.none),
    HolderRole.staff: (Channel.none,),
}
"""Which way credentials can reach whom. Guardians alone gave an address at the enrolment (E3), pupils alone have a
mailbox of the school (E8), and staff get theirs from the administrator in person."""
_TEXTS: Final = {
    "email_of_pupil": "pupils gave no address of their own at enrolment: use the institutional mailbox or a slip",
    "mailbox_of_guardian": "only pupils have an institutional mailbox",
    "staff_in_person": "staff get their access from the administrator: their channel is 'none'",
    "link_not_offered": "the activation link is not offered here yet: use e-mail or a slip",
    "exclusive_of_nothing": "'exclusive' needs a channel, and there is none",
    "pin_of_nothing": "a PIN needs credentials, and there are none",
    "pin_on_slip": "a PIN is never on a slip that a pupil carries home: let it be chosen at first access, or none",
    "campaign_after_end": "the campaign would open when local credentials have ended already",
}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`code` says what is wrong; `role` and `field` where in the policy."""

    code: str
    role: HolderRole | None
    field: str

    @property
    def text(self) -> str:
        where = self.field if self.role is None else f"{self.role.value}.{self.field}"
        return f"{where}: {_TEXTS[self.code]}"


def contradictions(policy: CredentialPolicy) -> Sequence[Contradiction]:
    """Everything that is wrong with it; nothing where it can be adopted."""
    found = [wrong for role in HolderRole for wrong in _of_role(policy, role)]
    opens, ends = policy.campaign_opens, policy.local_credentials_until
    if opens is not None and ends is not None and opens >= ends:
        found.append(Contradiction("campaign_after_end", None, "campaign_opens"))
    return found


def _of_role(policy: CredentialPolicy, role: HolderRole) -> Sequence[Contradiction]:
    rules = policy.of(role)
    found = []
    if rules.channel not in CHANNELS[role]:
        found.append(Contradiction(_wrong_channel(rules.channel, role), role, "channel"))
    if rules.channel is Channel.none:
        if rules.exclusive:
            found.append(Contradiction("exclusive_of_nothing", role, "exclusive"))
        if rules.pin is not PinRule.none:
            found.append(Contradiction("pin_of_nothing", role, "pin"))
    if rules.channel is Channel.slip and rules.pin is PinRule.issued:
        found.append(Contradiction("pin_on_slip", role, "pin"))
    return found


def _wrong_channel(channel: Channel, role: HolderRole) -> str:
    if role is HolderRole.staff:
        return "staff_in_person"
    if channel is Channel.activation_link:
        return "link_not_offered"
    return "email_of_pupil" if channel is Channel.email else "mailbox_of_guardian"


def wrong_day(day: date, today: date) -> str:
    """Why a policy cannot come into force on that day, as the slug of a refusal; "" where it can."""
    if day < today:
        return "in_force_from_past"
    return "in_force_from_far" if day - today > LONGEST_AHEAD else ""
