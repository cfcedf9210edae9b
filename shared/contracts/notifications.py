"""The facts of notifications: what reached whom, and how (S2, S4)."""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.event import Event, Personal, PersonalData, contract
from shared.contracts.policy import Channel, HolderRole
from shared.contracts.registry import Note


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


class ResendingReason(StrEnum):
    """Why a mail that had been accepted goes again, with the same secret (M8)."""

    not_received = "not_received"
    deleted = "deleted"
    address_corrected = "address_corrected"
    other = "other"


class BounceKind(StrEnum):
    """As the status code of a DSN tells them apart: 5.x.x and 4.x.x (RFC 3463)."""

    permanent = "permanent"
    temporary = "temporary"


class HandedTo(StrEnum):
    holder = "holder"
    pupil = "pupil"
    guardian = "guardian"
    delegate = "delegate"


class HandOverBy(StrEnum):
    """`scan`: the slip's QR with a signed-in phone. `tick`: names on the class's page. `list`: from the signed paper."""

    scan = "scan"
    tick = "tick"
    list = "list"


class NoticeKind(StrEnum):
    reminder = "reminder"
    circular = "circular"


class Audience(StrEnum):
    guardians = "guardians"
    pupils = "pupils"
    teachers = "teachers"
    ata = "ata"
    public = "public"


class AlertKind(StrEnum):
    """`access_before_hand_over`: a parent's slip was used before anybody had handed it over (P11)."""

    access_before_hand_over = "access_before_hand_over"
    claims_over_limit = "claims_over_limit"
    campaign_bounces = "campaign_bounces"


class Delegate(PersonalData):
    """Who took a slip for another."""

    name: str


class AudienceSize(BaseModel):
    """Of one audience, at the moment of publication: how many people it has, and to how many a message goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    audience: Audience
    holders: int = Field(ge=0)
    by_mail: int = Field(ge=0)


class CircularAudience(BaseModel):
    """`classes`: only those; empty: all of the school."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    audiences: tuple[Audience, ...]
    classes: tuple[str, ...] = ()


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


@contract
class EmailBounced(_NotificationsEvent):
    """The message of this attempt had been accepted, and came back (RFC 3464). `status` is the enhanced code, e.g.
    `5.1.1`; `temporary` (4.x.x): whoever was to deliver it gave up trying."""

    delivery: str
    attempt: int
    kind: BounceKind
    status: str


@contract
class ResendRequested(_NotificationsEvent):
    """The same secret goes to the address as it is known now; only while its sealed copy exists (M8). `number` counts
    from 1; `after` so many attempts, whose bounces say nothing of what goes out from here on."""

    delivery: str
    number: int = Field(ge=1)
    after: int = Field(ge=0)
    reason: ResendingReason


@contract
class SlipHandedOver(_NotificationsEvent):
    """By the event's actor, in the class `class_id` or at the desk (None) (P5)."""

    delivery: str
    account: str
    holder: str
    credential: str
    class_id: str | None
    to: HandedTo
    by: HandOverBy
    delegate: Personal[Delegate] | None = None


@contract
class SlipHandOverUndone(_NotificationsEvent):
    delivery: str
    account: str
    holder: str
    credential: str
    reason: Personal[Note]


@contract
class CampaignPlanned(_NotificationsEvent):
    """Credentials for these roles and classes (empty: all) are issued and sent from `opens` on, unattended; at most
    `per_domain_a_minute` messages to one mail domain (E1)."""

    campaign: str
    title: str
    roles: tuple[HolderRole, ...]
    classes: tuple[str, ...] = ()
    opens: datetime
    per_domain_a_minute: int | None = Field(default=None, ge=1)


@contract
class CampaignOpened(_NotificationsEvent):
    campaign: str


@contract
class CampaignPaused(_NotificationsEvent):
    """Nothing is issued or sent for it until it is resumed; what was on its way arrives."""

    campaign: str
    reason: str


@contract
class CampaignResumed(_NotificationsEvent):
    campaign: str


@contract
class CampaignCompleted(_NotificationsEvent):
    """Every holder of its audience has one outcome."""

    campaign: str
    sent: int
    failed: int


@contract
class CampaignCancelled(_NotificationsEvent):
    campaign: str
    reason: str


@contract
class NoticeRequested(_NotificationsEvent):
    """A message that carries no secret, for one recipient. `about`: of a circular its id; of a reminder the credential,
    with its `account` and which reminder of these credentials it is (`number`, from 1)."""

    notice: str
    kind: NoticeKind
    holder: str
    about: str
    account: str | None = None
    number: int = Field(default=1, ge=1)


@contract
class NoticeAttempted(_NotificationsEvent):
    notice: str
    attempt: int


@contract
class NoticeAccepted(_NotificationsEvent):
    notice: str
    attempt: int
    code: int


@contract
class NoticeDeferred(_NotificationsEvent):
    notice: str
    attempt: int
    code: int | None
    problem: DeliveryProblem
    retry_at: datetime


@contract
class NoticeFailed(_NotificationsEvent):
    notice: str
    attempt: int
    code: int | None
    problem: DeliveryProblem


@contract
class NoticeBounced(_NotificationsEvent):
    """The message of this attempt had been accepted, and came back (RFC 3464)."""

    notice: str
    attempt: int
    kind: BounceKind
    status: str


@contract
class ReminderSent(_NotificationsEvent):
    """Who never signed in was asked to. `number` counts from 1 for these credentials."""

    notice: str
    account: str
    holder: str
    credential: str
    number: int = Field(ge=1)


@contract
class CircularPublished(_NotificationsEvent):
    """A circular is a public document of the school: no personal data is in it (P10, E11). `text` is plain, paragraphs
    divided by empty lines. `day` is the date that it bears; a number is given once in a school `year`. Whom it went to
    by mail is told by `NoticeRequested`."""

    circular: str
    school: str
    year: str = Field(pattern=r"^\d{4}/\d{4}$")
    number: str
    day: date
    subject: str
    text: str
    signed_by: str
    audience: CircularAudience
    sizes: tuple[AudienceSize, ...] = ()


@contract
class CircularRead(_NotificationsEvent):
    """A signed-in person of one of its audiences opened it for the first time."""

    awaited: ClassVar[bool] = False
    circular: str
    holder: str
    audience: Audience


@contract
class CircularWithdrawn(_NotificationsEvent):
    circular: str
    reason: str


@contract
class LetterheadAdopted(_NotificationsEvent):
    """The lines at the head of the school's circulars, and those at the foot of each page."""

    school: str
    head: tuple[str, ...]
    foot: tuple[str, ...] = ()


@contract
class MailTemplateAdapted(_NotificationsEvent):
    """A school's own words for one message in one language; None for a part that stays as it comes."""

    school: str
    template: str
    language: str
    subject: str | None
    opening: str | None
    closing: str | None


@contract
class AlertRaised(_NotificationsEvent):
    """`about` is the account, the credential or the campaign concerned."""

    alert: str
    kind: AlertKind
    about: str
    holder: str | None = None


@contract
class AlertSettled(_NotificationsEvent):
    alert: str
    note: Personal[Note] | None = None
