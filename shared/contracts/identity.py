"""The facts of identity: who may sign in, and as whom (S2). No secret, and no hash of one, is ever here (B1)."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, Field

from shared.contracts import earlier
from shared.contracts.event import Event, Personal, PersonalData, contract
from shared.contracts.policy import Channel, HolderRole
from shared.contracts.registry import IdentityCheck, Note


class AccountRole(StrEnum):
    guardian = "guardian"
    pupil = "pupil"
    staff = "staff"


class StaffRole(StrEnum):
    secretary = "secretary"
    principal = "principal"
    teacher = "teacher"
    auditor = "auditor"
    administrator = "administrator"


class RefusalReason(StrEnum):
    no_account = "no_account"
    role_without_credentials = "role_without_credentials"
    no_data_access = "no_data_access"
    local_credentials_ended = "local_credentials_ended"


class ShredReason(StrEnum):
    first_access = "first_access"
    handed_over = "handed_over"
    superseded = "superseded"
    expired = "expired"
    revoked = "revoked"


class SuspensionReason(StrEnum):
    """`barred`: by the school's decision. `loss`: its holder said it was lost or seen by others."""

    barred = "barred"
    loss = "loss"
    withdrawn = "withdrawn"
    other = "other"


class RevocationReason(StrEnum):
    withdrawn = "withdrawn"
    merged = "merged"
    staff_left = "staff_left"
    other = "other"


class ReportedBy(StrEnum):
    holder = "holder"
    desk = "desk"


class ConfirmedBy(StrEnum):
    pin = "pin"
    password = "password"  # noqa: S105
    passkey = "passkey"


class AccountCode(PersonalData):
    """The user code: eight characters without look-alikes (DESIGN 7)."""

    user_code: str


class StaffDetails(PersonalData):
    user_code: str
    family_name: str
    given_name: str


class _IdentityEvent(Event):
    service: ClassVar[str] = "identity"


@contract
class AccountOpened(_IdentityEvent):
    account: str
    holder: str
    role: AccountRole
    code: Personal[AccountCode]


@contract
class StaffAccountOpened(_IdentityEvent):
    account: str
    holder: str
    roles: tuple[StaffRole, ...]
    details: Personal[StaffDetails]


@contract
class CredentialsIssued(_IdentityEvent):
    """`expires` ends the life of the initial secret and of its sealed copy alike (DESIGN 5). `year` is the school
    year for which they were issued, None for those whom no school year concerns."""

    account: str
    holder: str
    credential: str
    generation: int = Field(ge=1)
    policy_role: HolderRole
    channel: Channel
    exclusive: bool
    pin_issued: bool
    must_change: bool
    expires: datetime
    year: str | None = None


@contract
class CredentialsKept(_IdentityEvent):
    account: str
    holder: str
    year: str


@contract
class IssuanceRefused(_IdentityEvent):
    account: str
    holder: str
    year: str
    reason: RefusalReason


@contract
class StaffPasswordReset(_IdentityEvent):
    """Whoever runs the installation gave a staff member a temporary password: it ends at `expires`, and must be
    changed at the first sign-in."""

    account: str
    expires: datetime


@contract
class SlipClaimed(_IdentityEvent):
    account: str
    credential: str
    claims: int
    reason: str


@contract
class SlipShreddedV1(_IdentityEvent):
    # Before hand-over and revocation were known. No docstring: it would be in the published schema.
    model_config = ConfigDict(title="SlipShredded")
    wire_name: ClassVar[str | None] = "SlipShredded"
    account: str
    credential: str
    because: earlier.ShredReason


@contract
class SlipShredded(_IdentityEvent):
    version: ClassVar[int] = 2
    account: str
    credential: str
    because: ShredReason


@contract
class SlipReturned(_IdentityEvent):
    """Its hand-over was undone: nobody has the slip, and its copy is gone. Until a first access its holder is issued
    anew freely: that is no regeneration (M8)."""

    account: str
    credential: str


@contract
class FirstAccessCompleted(_IdentityEvent):
    account: str
    credential: str


@contract
class SignInSucceeded(_IdentityEvent):
    awaited: ClassVar[bool] = False
    account: str


@contract
class SignInFailuresCounted(_IdentityEvent):
    awaited: ClassVar[bool] = False
    account: str
    failures: int


@contract
class PasswordChanged(_IdentityEvent):
    account: str
    first: bool


@contract
class SessionsRevoked(_IdentityEvent):
    """All sessions of the account, or the one named: whoever keeps an introspected answer drops it."""

    account: str
    because: str
    session: str | None = None


@contract
class StaffRolesChanged(_IdentityEvent):
    account: str
    roles: tuple[StaffRole, ...]


@contract
class PinChanged(_IdentityEvent):
    """The holder chose a PIN; `first`: they had none before. A disabled PIN is chosen anew like this (E2)."""

    account: str
    first: bool


@contract
class PinDisabled(_IdentityEvent):
    """Ten wrong PINs: it confirms nothing until a new one is chosen with the password, or at the desk (DESIGN 7)."""

    account: str
    failures: int


@contract
class ActionConfirmed(_IdentityEvent):
    """The holder confirmed something with consequences. `subject` is opaque: what was confirmed."""

    awaited: ClassVar[bool] = False
    account: str
    purpose: str
    subject: str
    by: ConfirmedBy


@contract
class LossReported(_IdentityEvent):
    """Lost, or seen by others. `credential` is None of an account that has none."""

    account: str
    credential: str | None
    by: ReportedBy


@contract
class RegenerationRequested(_IdentityEvent):
    """`identity_check` is None where the holder asked online: then the desk checks before it decides (E6)."""

    request: str
    account: str
    holder: str
    by: ReportedBy
    identity_check: IdentityCheck | None
    motivation: Personal[Note]


@contract
class RegenerationGranted(_IdentityEvent):
    """Decided by the event's actor. `exceptional`: by a policy that regenerates only in exceptional cases."""

    request: str
    account: str
    exceptional: bool
    identity_check: IdentityCheck
    reason: Personal[Note]


@contract
class RegenerationDenied(_IdentityEvent):
    request: str
    account: str
    reason: Personal[Note]


@contract
class CredentialsRegenerated(_IdentityEvent):
    """Everything of `credential` is dead: password, PIN, sealed copy, sessions. `CredentialsIssued` of `generation`
    follows, at once or when its channel opens."""

    request: str
    account: str
    credential: str | None
    generation: int = Field(ge=1)


@contract
class PupilCredentialsSeparated(_IdentityEvent):
    """A family shared one credential, the `guardian`'s; the pupil now has their own (P9). `CredentialsIssued` follows, for
    the desk's own printer."""

    account: str
    holder: str
    guardian: str | None
    identity_check: IdentityCheck


@contract
class AccountLocked(_IdentityEvent):
    """Guessed at too often from unknown devices: only known devices get in (DESIGN 7)."""

    account: str
    failures: int


@contract
class AccountUnlocked(_IdentityEvent):
    """At the desk after an identity check; None: the failures were forgotten with time."""

    account: str
    identity_check: IdentityCheck | None = None


@contract
class AccountSuspended(_IdentityEvent):
    account: str
    because: SuspensionReason
    note: Personal[Note] | None = None


@contract
class AccountReinstated(_IdentityEvent):
    """At the desk after an identity check; None: the holder is back at the school (M5)."""

    account: str
    note: Personal[Note] | None = None
    identity_check: IdentityCheck | None = None


@contract
class AccountRevoked(_IdentityEvent):
    """For good: password, PIN, sealed copy, sessions and passkeys are gone. Who comes back is issued anew (M5)."""

    account: str
    because: RevocationReason
    note: Personal[Note] | None = None
    into: str | None = None


@contract
class LocalCredentialsRetired(_IdentityEvent):
    """From the date that the school set, no password opens this account any more (M12, L. 182/2025)."""

    account: str


@contract
class PasskeyRegistered(_IdentityEvent):
    account: str
    passkey: str


@contract
class PasskeyRemoved(_IdentityEvent):
    account: str
    passkey: str


@contract
class LanguageChosen(_IdentityEvent):
    """In which language the holder reads pages, mails and slips (M14): a BCP 47 tag."""

    account: str
    holder: str
    language: str = Field(pattern=r"^[a-z]{2}$")
