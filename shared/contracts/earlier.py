"""Models that newer versions of a contract have replaced: read for ever, never written. Their names are those that the
published schemas know."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.policy import Channel, FirstChange, Justification, PinRule, Regeneration


class RolePolicy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    channel: Channel
    exclusive: bool = False
    pin: PinRule = PinRule.none
    first_change: FirstChange = FirstChange.forced
    regeneration: Regeneration = Regeneration.desk
    initial_secret_days: int = Field(default=14, ge=1, le=90)


class CredentialPolicy(BaseModel):
    """How a school hands out its keys. Dates are local (Europe/Rome)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    guardian: RolePolicy
    pupil_under_age: RolePolicy
    pupil_of_age: RolePolicy
    staff: RolePolicy
    campaign_opens: date | None = None
    justification: Justification = Justification.by_request
    pupils_of_age_justify_alone: bool = True
    local_credentials_until: date | None = None


class ShredReason(StrEnum):
    first_access = "first_access"
    superseded = "superseded"
    expired = "expired"
