"""What the circulars disagree on, as data: a school's credential policy, by role (DESIGN 1, rule 10)."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Channel(StrEnum):
    none = "none"
    slip = "slip"
    email = "email"
    institutional_mailbox = "institutional_mailbox"
    activation_link = "activation_link"


class PinRule(StrEnum):
    none = "none"
    issued = "issued"
    chosen = "chosen"


class FirstChange(StrEnum):
    forced = "forced"
    recommended = "recommended"


class Regeneration(StrEnum):
    desk = "desk"
    exceptional = "exceptional"


class Justification(StrEnum):
    by_request = "by_request"
    by_default = "by_default"


class GuardiansOfAge(StrEnum):
    """What a parent sees of a pupil who is of age: as before, or only with the pupil's consent (M4)."""

    keep = "keep"
    by_consent = "by_consent"


class HolderRole(StrEnum):
    """As the policy sees a holder: age is derived from the date, never stored (M4)."""

    guardian = "guardian"
    pupil_under_age = "pupil_under_age"
    pupil_of_age = "pupil_of_age"
    staff = "staff"


class RolePolicy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    channel: Channel
    exclusive: bool = False
    pin: PinRule = PinRule.none
    first_change: FirstChange = FirstChange.forced
    regeneration: Regeneration = Regeneration.desk
    initial_secret_days: int = Field(default=14, ge=1, le=90)


class CredentialPolicy(BaseModel):
    """How a school hands out its keys. Dates are local (Europe/Rome).

    `staff_password_only_until`: until the day before it, staff may regenerate, import and change this policy without a
    passkey; None: never. `reminder_days`: after how many days who never signed in is reminded; None: never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    guardian: RolePolicy
    pupil_under_age: RolePolicy
    pupil_of_age: RolePolicy
    staff: RolePolicy
    campaign_opens: date | None = None
    justification: Justification = Justification.by_request
    pupils_of_age_justify_alone: bool = True
    guardians_of_age: GuardiansOfAge = GuardiansOfAge.keep
    local_credentials_until: date | None = None
    staff_password_only_until: date | None = None
    reminder_days: int | None = Field(default=7, ge=1, le=60)

    def of(self, role: HolderRole) -> RolePolicy:
        return {
            HolderRole.guardian: self.guardian,
            HolderRole.pupil_under_age: self.pupil_under_age,
            HolderRole.pupil_of_age: self.pupil_of_age,
            HolderRole.staff: self.staff,
        }[role]


_STAFF = RolePolicy(channel=Channel.none)

PAPER = CredentialPolicy(
    guardian=RolePolicy(channel=Channel.slip, first_change=FirstChange.recommended, initial_secret_days=30),
    pupil_under_age=RolePolicy(
        channel=Channel.slip, first_change=FirstChange.recommended, initial_secret_days=30
    ),
    pupil_of_age=RolePolicy(
        channel=Channel.slip, first_change=FirstChange.recommended, initial_secret_days=30
    ),
    staff=_STAFF,
    justification=Justification.by_request,
)
"""The paper circular: slips handed over in class, change recommended, no PIN (P3 P4 P5 P8 P11)."""

EMAIL = CredentialPolicy(
    guardian=RolePolicy(
        channel=Channel.email,
        exclusive=True,
        pin=PinRule.issued,
        first_change=FirstChange.forced,
        regeneration=Regeneration.exceptional,
        initial_secret_days=14,
    ),
    pupil_under_age=RolePolicy(
        channel=Channel.institutional_mailbox, exclusive=True, regeneration=Regeneration.exceptional
    ),
    pupil_of_age=RolePolicy(
        channel=Channel.institutional_mailbox, exclusive=True, regeneration=Regeneration.exceptional
    ),
    staff=_STAFF,
    justification=Justification.by_default,
)
"""The e-mail circular: ID, password and PIN only to the enrolment address, change forced (E2 E3 E5 E6 E8)."""

PRESETS = {"paper": PAPER, "email": EMAIL}
