"""What can be asked of a delivery."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.notifications import BounceKind, DeliveryProblem, PrintingReason, ResendingReason
from shared.contracts.policy import Channel


@dataclass(frozen=True, slots=True)
class RequestDelivery:
    """`reachable`: for a mail, whether the holder gave an address; without meaning for a slip."""

    delivery: str
    account: str
    holder: str
    credential: str
    generation: int
    channel: Channel
    exclusive: bool
    expires: datetime
    reachable: bool


@dataclass(frozen=True, slots=True)
class Supersede:
    """The secret is gone or replaced. `idle`: it is certain that no message is on its way at this moment."""

    idle: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    at: datetime


@dataclass(frozen=True, slots=True)
class RecordAccepted:
    attempt: int
    code: int


@dataclass(frozen=True, slots=True)
class RecordDeferred:
    attempt: int
    code: int | None
    problem: DeliveryProblem
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class RecordFailed:
    attempt: int
    code: int | None
    problem: DeliveryProblem


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing is on its way, and nothing can be: the sealed slip is not to be had any more."""

    problem: DeliveryProblem


@dataclass(frozen=True, slots=True)
class PrintSlip:
    at: datetime
    reason: PrintingReason | None = None


@dataclass(frozen=True, slots=True)
class RecordBounce:
    """The message of this attempt came back (RFC 3464). `status` is the enhanced code."""

    attempt: int
    kind: BounceKind
    status: str


@dataclass(frozen=True, slots=True)
class Resend:
    """The same secret, to the address as it is known now. For whoever asks after another reason than a corrected
    address, it must have an outcome first."""

    reason: ResendingReason
    at: datetime


Outcome = RecordAccepted | RecordDeferred | RecordFailed
Command = RequestDelivery | Supersede | GiveUp | Attempt | Outcome | PrintSlip | RecordBounce | Resend
