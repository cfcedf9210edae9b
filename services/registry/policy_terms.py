"""Two policies beside each other, and whom the difference touches: pure (what the desk sees before it adopts)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from services.registry.domain.credential_rules import Contradiction
from services.registry.domain.school import Adoption
from shared.contracts.policy import Channel, CredentialPolicy, HolderRole, RolePolicy

ROLE_FIELDS: Final = tuple(RolePolicy.model_fields)
_ROLES: Final = frozenset(role.value for role in HolderRole)
SCHOOL_FIELDS: Final = tuple(name for name in CredentialPolicy.model_fields if name not in _ROLES)


@dataclass(frozen=True, slots=True)
class Difference:
    """`role` is None for what concerns the whole school; `before` is None where there was no policy."""

    role: HolderRole | None
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Numbers:
    """Whom the school has now: enrolled pupils, by their age on the day in question, their guardians, its staff.

    `out_of_reach`: without credentials, and without the e-mail address or the active mailbox to send them to.
    """

    guardians: int = 0
    guardians_with_credentials: int = 0
    guardians_without_email: int = 0
    guardians_out_of_reach: int = 0
    pupils_under_age: int = 0
    pupils_under_age_with_credentials: int = 0
    pupils_under_age_without_mailbox: int = 0
    pupils_under_age_out_of_reach: int = 0
    pupils_of_age: int = 0
    pupils_of_age_with_credentials: int = 0
    pupils_of_age_without_mailbox: int = 0
    pupils_of_age_out_of_reach: int = 0
    staff: int = 0

    def of(self, role: HolderRole) -> tuple[int, int]:
        """(how many, how many of them have credentials already)."""
        return {
            HolderRole.guardian: (self.guardians, self.guardians_with_credentials),
            HolderRole.pupil_under_age: (self.pupils_under_age, self.pupils_under_age_with_credentials),
            HolderRole.pupil_of_age: (self.pupils_of_age, self.pupils_of_age_with_credentials),
            HolderRole.staff: (self.staff, self.staff),
        }[role]

    def out_of_reach(self, role: HolderRole, channel: Channel) -> int:
        """How many wait for credentials that cannot reach them that way yet."""
        match role, channel:
            case HolderRole.guardian, Channel.email | Channel.activation_link:
                return self.guardians_out_of_reach
            case HolderRole.pupil_under_age, Channel.institutional_mailbox:
                return self.pupils_under_age_out_of_reach
            case HolderRole.pupil_of_age, Channel.institutional_mailbox:
                return self.pupils_of_age_out_of_reach
        return 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What adopting `new` from `day` on would do. `today`: whether that is at once. `old`: what holds until then.
    `replaces`: what was planned for that day or later and would not come into force. `changes_nothing`: the same is
    to hold from that day anyway. `wrong_day`: the slug of why that day cannot be, or "". `seen`: how many adoptions there were when this was found out."""

    day: date
    today: bool
    old: CredentialPolicy | None
    new: CredentialPolicy
    differences: Sequence[Difference]
    numbers: Numbers
    replaces: Sequence[Adoption]
    changes_nothing: bool
    contradictions: Sequence[Contradiction]
    wrong_day: str
    seen: int

    def of_role(self, role: HolderRole | None) -> Sequence[Difference]:
        return [each for each in self.differences if each.role is role]


def differences(old: CredentialPolicy | None, new: CredentialPolicy) -> Sequence[Difference]:
    """Field by field, role by role, then what concerns the whole school."""
    found = []
    for role in HolderRole:
        before, after = None if old is None else old.of(role), new.of(role)
        found += [
            Difference(role, name, getattr(before, name, None), getattr(after, name))
            for name in ROLE_FIELDS
            if before is None or getattr(before, name) != getattr(after, name)
        ]
    found += [
        Difference(None, name, getattr(old, name, None), getattr(new, name))
        for name in SCHOOL_FIELDS
        if old is None or getattr(old, name) != getattr(new, name)
    ]
    return found
