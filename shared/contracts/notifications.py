"""The facts of notifications: what reached whom, and how (S2, S4)."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from shared.contracts.event import Event, contract
from shared.contracts.policy import Channel


class DeliveryProblem(StrEnum):
    no_address = "no_address"
    address_invalid = "address_invalid"
    channel_unavailable = "channel_unavailable"
    other_channel_forbidden = "other_channel_forbidden"
    no_longer_available = "no_longer_available"
    mailbox_unknown = "mailbox_unknown"
    mailbox_full = "mailbox_full"
    rejected = "rejected"
    server_busy = "server_busy"
    not_reached = "not_reached"
    gave_up = "gave_up"


class PrintingReason(StrEnum):
    """Why a slip was printed; every printing after the first needs one of the others (M8)."""

    first_printing = "first_printing"
    lost = "lost"
    unreadable = "unreadable"
    printer_fault = "printer_fault"
    not_collected = "not_collected"
    other = "other"


class _NotificationsEvent(Event):
    service: ClassVar[str] = "notifications"


@contract
class SealingKeyPublished(_NotificationsEvent):
    """An X25519 public key (base64url, raw 32 bytes): secrets for deliveries are sealed to it until `retires`."""

    key: str
    public_key: str
    retires: datetime


@contract
class DeliveryRequested(_NotificationsEvent):
    """`exclusive`: by the school's policy no other channel may be used for these credentials (E3)."""

    delivery: str
    account: str
    holder: str
    credential: str
    generation: int = Field(ge=1)
    channel: Channel
    exclusive: bool
    expires: datetime


@contract
class DeliveryAttempted(_NotificationsEvent):
    """Written before the message leaves: after a crash the same message may go again, and says so."""

    delivery: str
    attempt: int


@contract
class EmailAccepted(_NotificationsEvent):
    """The mail server took the message; `code` is its reply code (RFC 5321)."""

    delivery: str
    attempt: int
    code: int


@contract
class EmailDeferred(_NotificationsEvent):
    delivery: str
    attempt: int
    code: int | None
    problem: DeliveryProblem
    retry_at: datetime


@contract
class DeliveryFailed(_NotificationsEvent):
    delivery: str
    attempt: int
    code: int | None
    problem: DeliveryProblem


@contract
class DeliveryRefused(_NotificationsEvent):
    """Nothing was tried: the policy or the data at hand leave no way."""

    delivery: str
    problem: DeliveryProblem


@contract
class SlipPrinted(_NotificationsEvent):
    """Written before the sheet leaves. `printing` counts from 1; the same initial secret is on each."""

    delivery: str
    printing: int = Field(ge=1)
    reason: PrintingReason


@contract
class DeliverySuperseded(_NotificationsEvent):
    """The secret was replaced, used or ended before this delivery reached its holder: nothing is left to send."""

    delivery: str
