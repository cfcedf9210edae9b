"""What is said over HTTP of the life of a credential: bodies and answers."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from services.identity.desk import State
from services.identity.notes import Written
from shared.contracts.identity import AccountRole, RevocationReason, SuspensionReason
from shared.contracts.registry import IdentityCheck

Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Loss(_Body):
    """`block`: nobody gets in from now on, and sessions end at once."""

    block: StrictBool = True


class Asked(_Body):
    """A request for regeneration, written down at the desk."""

    motivation: Written
    identity_check: IdentityCheck | None = None


class AskedOnline(_Body):
    motivation: Written


class Regenerated(_Body):
    """Asked and granted in one, where the school's policy leaves it to the desk."""

    motivation: Written
    identity_check: IdentityCheck


class Granted(_Body):
    reason: Written
    identity_check: IdentityCheck


class Denied(_Body):
    reason: Written


class Separated(_Body):
    """`guardian`: the person whose credential was shared, if known."""

    identity_check: IdentityCheck
    guardian: Id | None = None


class Suspended(_Body):
    """`barred`: by the school's decision. `loss` and `withdrawn` come about by themselves too."""

    because: SuspensionReason
    note: Written


class Reinstated(_Body):
    note: Written
    identity_check: IdentityCheck


class Revoked(_Body):
    because: RevocationReason = RevocationReason.other
    note: Written


class Unlocked(_Body):
    identity_check: IdentityCheck


class RequestAnswer(BaseModel):
    """`decider` and `asker` are accounts; what was written is absent for people who were erased."""

    request: str
    account: str
    state: str
    asked_by: str
    asker: str
    asked_at: datetime
    identity_check: str | None
    motivation: str | None
    decider: str | None
    decided_at: datetime | None
    reason: str | None


class AccountAnswer(BaseModel):
    """`state` in one word; `since` when it is a closed one. `generation` counts the credentials issued so far."""

    account: str
    person: str
    role: AccountRole
    state: State
    since: datetime | None
    suspended: str | None
    ended_because: str | None
    into: str | None
    lost_at: datetime | None
    generation: int | None
    channel: str | None
    expires: datetime | None
    requests: list[RequestAnswer]


class RequestMade(BaseModel):
    request: str


class GrantAnswer(BaseModel):
    """`issued`: the new credentials are on their way already; else they come when their channel opens."""

    request: str
    account: str
    issued: bool


class SeparationAnswer(BaseModel):
    """The slip of `credential` can be printed now."""

    account: str
    credential: str
