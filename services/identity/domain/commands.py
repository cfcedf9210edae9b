"""What can be asked of an account: no secret, and no hash of one, ever comes near the domain."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.identity import AccountRole, RefusalReason, ShredReason, StaffDetails, StaffRole
from shared.contracts.policy import Channel, HolderRole
from shared.sealing import ClaimReason


@dataclass(frozen=True, slots=True)
class Open:
    account: str
    holder: str
    role: AccountRole
    user_code: str


@dataclass(frozen=True, slots=True)
class OpenStaff:
    account: str
    holder: str
    roles: tuple[StaffRole, ...]
    details: StaffDetails


@dataclass(frozen=True, slots=True)
class Issue:
    """The terms of a new credential."""

    credential: str
    policy_role: HolderRole
    channel: Channel
    exclusive: bool
    pin_issued: bool
    must_change: bool
    expires: datetime
    year: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Keep:
    year: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Refuse:
    """Said once, unless something else was said of that year since. `anew`: said even so, because the facts
    changed: whoever is issuing at this very moment must be too late."""

    account: str
    holder: str
    year: str
    reason: RefusalReason
    anew: bool = False


@dataclass(frozen=True, slots=True)
class ClaimSlip:
    credential: str
    reason: ClaimReason
    now: datetime


@dataclass(frozen=True, slots=True)
class ShredSlip:
    credential: str
    because: ShredReason


@dataclass(frozen=True, slots=True)
class RecordSignIn:
    pass


@dataclass(frozen=True, slots=True)
class CompleteFirstAccess:
    """The initial secret was used: its sealed copy has done its work."""


@dataclass(frozen=True, slots=True)
class CountFailures:
    failures: int


@dataclass(frozen=True, slots=True)
class ChangePassword:
    pass


@dataclass(frozen=True, slots=True)
class ResetStaffPassword:
    """A temporary password for a staff member, until `expires`."""

    expires: datetime


@dataclass(frozen=True, slots=True)
class RevokeSessions:
    because: str
    session: str | None = None


Command = (
    Open
    | OpenStaff
    | Issue
    | Keep
    | Refuse
    | ClaimSlip
    | ShredSlip
    | RecordSignIn
    | CompleteFirstAccess
    | CountFailures
    | ChangePassword
    | ResetStaffPassword
    | RevokeSessions
)
