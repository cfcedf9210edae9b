"""What the desk, its holder or the registry ask of an account between its opening and its end. Notes are personal, and
the holder's: who they are about."""

from dataclasses import dataclass
from datetime import datetime

from services.identity.domain.commands import Issue
from shared.contracts.identity import ReportedBy, RevocationReason, SuspensionReason
from shared.contracts.registry import IdentityCheck


@dataclass(frozen=True, slots=True)
class ReportLoss:
    """`block`: the account is suspended at once."""

    by: ReportedBy
    block: bool


@dataclass(frozen=True, slots=True)
class RequestRegeneration:
    """`identity_check` is None where the holder asks online."""

    request: str
    by: ReportedBy
    identity_check: IdentityCheck | None
    motivation: str
    now: datetime


@dataclass(frozen=True, slots=True)
class GrantRegeneration:
    """`terms` are None while the channel is not open: then the old credential ends now, and a new one comes later."""

    request: str
    exceptional: bool
    identity_check: IdentityCheck
    reason: str
    terms: Issue | None


@dataclass(frozen=True, slots=True)
class DenyRegeneration:
    request: str
    reason: str


@dataclass(frozen=True, slots=True)
class Separate:
    """A pupil who used a parent's credential gets one of their own (P9)."""

    guardian: str | None
    identity_check: IdentityCheck
    terms: Issue


@dataclass(frozen=True, slots=True)
class Suspend:
    because: SuspensionReason
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Reinstate:
    """`only`: if it is suspended for this reason; None: for whichever."""

    note: str | None = None
    identity_check: IdentityCheck | None = None
    only: SuspensionReason | None = None


@dataclass(frozen=True, slots=True)
class Revoke:
    because: RevocationReason
    note: str | None = None
    into: str | None = None


@dataclass(frozen=True, slots=True)
class Retire:
    """The school gives no local credentials any more (M12)."""


@dataclass(frozen=True, slots=True)
class Lock:
    failures: int


@dataclass(frozen=True, slots=True)
class Unlock:
    identity_check: IdentityCheck | None = None


@dataclass(frozen=True, slots=True)
class ReturnSlip:
    """Its hand-over was undone."""

    credential: str


LifeCommand = (
    ReportLoss
    | RequestRegeneration
    | GrantRegeneration
    | DenyRegeneration
    | Separate
    | Suspend
    | Reinstate
    | Revoke
    | Retire
    | Lock
    | Unlock
    | ReturnSlip
)
