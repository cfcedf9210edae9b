"""The facts of identity: who may sign in, and as whom (S2). No secret, and no hash of one, is ever here (B1)."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from shared.contracts.event import Event, Personal, PersonalData, contract
from shared.contracts.policy import Channel, HolderRole


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
    superseded = "superseded"
    expired = "expired"


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
class SlipShredded(_IdentityEvent):
    account: str
    credential: str
    because: ShredReason


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
