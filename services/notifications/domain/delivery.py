"""A delivery: one generation of one holder's credentials, on one channel, to exactly one outcome (E3, S4, M8)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.notifications.domain.delivery_commands import (
    Attempt,
    Command,
    GiveUp,
    Outcome,
    PrintSlip,
    RecordAccepted,
    RecordBounce,
    RecordDeferred,
    RecordFailed,
    RequestDelivery,
    Resend,
    Supersede,
)
from shared.contracts.event import Event
from shared.contracts.notifications import (
    DeliveryAttempted,
    DeliveryFailed,
    DeliveryProblem,
    DeliveryRefused,
    DeliveryRequested,
    DeliverySuperseded,
    EmailAccepted,
    EmailBounced,
    EmailDeferred,
    PrintingReason,
    ResendingReason,
    ResendRequested,
    SlipHandedOver,
    SlipHandOverUndone,
    SlipPrinted,
)
from shared.contracts.policy import Channel
from shared.decider import Decider, Refused
from shared.ids import derived_id

MAIL_CHANNELS = frozenset({Channel.email, Channel.institutional_mailbox})
MOST_ATTEMPTS = 18
"""A mail server that says *later* is asked this often; identity lets a slip be claimed 20 times (DESIGN 5)."""


def delivery_id(credential: str, generation: int) -> str:
    """The same credentials of the same generation are delivered once, however often we hear of them."""
    return derived_id("delivery", credential, str(generation))


def fallback_id(credential: str, generation: int) -> str:
    """The slip that stands in for a mail which could not be sent, where the policy allows one."""
    return derived_id("delivery", credential, str(generation), "slip")


class Status(StrEnum):
    unknown = "unknown"
    requested = "requested"
    attempting = "attempting"
    deferred = "deferred"
    accepted = "accepted"
    bounced = "bounced"
    failed = "failed"
    refused = "refused"
    printed = "printed"
    handed_over = "handed_over"
    superseded = "superseded"


OPEN = frozenset({Status.requested, Status.attempting, Status.deferred})


@dataclass(frozen=True, slots=True)
class Delivery:
    status: Status = Status.unknown
    requested: DeliveryRequested | None = None
    attempts: int = 0
    printings: int = 0
    was_handed_over: bool = False
    """Since then the sealed copy is gone, even where the hand-over was undone: see `hand_over`."""
    resends: int = 0
    resent_after: int = 0
    """How many attempts there had been when it was last sent anew: a bounce of one of those says nothing of what
    went out since."""

    @property
    def by_mail(self) -> bool:
        return self.requested is not None and self.requested.channel in MAIL_CHANNELS


def decide(state: Delivery, command: Command) -> Sequence[Event]:
    """Raises `Refused`: not_requested, other_channel_forbidden, expired, superseded, already_settled,
    not_a_slip, reason_needed, handed_over, not_a_mail, on_its_way."""
    match command:
        case RequestDelivery():
            return _request(state, command)
        case Attempt(at):
            return _attempt(state, at)
        case PrintSlip(at, reason):
            return _print(state, at, reason)
        case Resend(why, at):
            return _resend(state, why, at)
        case _:
            return _told(state, command)


def _told(state: Delivery, command: Supersede | GiveUp | Outcome | RecordBounce) -> Sequence[Event]:
    """What became of it, whoever says so."""
    match command:
        case Supersede(idle):
            return _supersede(state, idle=idle)
        case GiveUp(problem):
            return _give_up(state, problem)
        case RecordBounce():
            return _bounce(state, command)
        case _:
            return _outcome(state, command)


def _request(state: Delivery, command: RequestDelivery) -> Sequence[Event]:
    if state.requested is not None:
        return ()
    requested = DeliveryRequested(
        delivery=command.delivery,
        account=command.account,
        holder=command.holder,
        credential=command.credential,
        generation=command.generation,
        channel=command.channel,
        exclusive=command.exclusive,
        expires=command.expires,
    )
    if command.channel is Channel.slip:
        return (requested,)
    if command.channel not in MAIL_CHANNELS:
        return (requested, _refused(command.delivery, DeliveryProblem.channel_unavailable))
    if not command.reachable:
        return (requested, _refused(command.delivery, DeliveryProblem.no_address))
    return (requested,)


def _refused(delivery: str, problem: DeliveryProblem) -> DeliveryRefused:
    return DeliveryRefused(delivery=delivery, problem=problem)


def _supersede(state: Delivery, *, idle: bool) -> Sequence[Event]:
    if state.status not in OPEN or state.requested is None:
        return ()
    if state.status is Status.attempting and not idle:
        # A message may be on its way: what becomes of it is the outcome, and the postman asks before the next.
        return ()
    return (DeliverySuperseded(delivery=state.requested.delivery),)


def _give_up(state: Delivery, problem: DeliveryProblem) -> Sequence[Event]:
    if state.status not in OPEN or state.requested is None:
        return ()
    delivery = state.requested.delivery
    return (DeliveryFailed(delivery=delivery, attempt=state.attempts, code=None, problem=problem),)


def _attempt(state: Delivery, at: datetime) -> Sequence[Event]:
    requested = _known(state)
    if not state.by_mail:
        raise Refused("other_channel_forbidden", "This delivery is a printed slip.")
    if state.status not in OPEN:
        raise Refused("already_settled", f"This delivery is {state.status}.")
    if requested.expires <= at:
        raise Refused("expired", "The initial secret has ended: issue anew.")
    return (DeliveryAttempted(delivery=requested.delivery, attempt=state.attempts + 1),)


def _outcome(state: Delivery, command: Outcome) -> Sequence[Event]:
    requested = _known(state)
    if state.status is not Status.attempting or command.attempt != state.attempts:
        return ()
    delivery, attempt = requested.delivery, command.attempt
    match command:
        case RecordAccepted(_, code):
            return (EmailAccepted(delivery=delivery, attempt=attempt, code=code),)
        case RecordDeferred(_, code, problem, retry_at):
            if attempt >= MOST_ATTEMPTS or retry_at >= requested.expires:
                gave_up = DeliveryProblem.gave_up
                return (DeliveryFailed(delivery=delivery, attempt=attempt, code=code, problem=gave_up),)
            return (
                EmailDeferred(
                    delivery=delivery, attempt=attempt, code=code, problem=problem, retry_at=retry_at
                ),
            )
        case RecordFailed(_, code, problem):
            return (DeliveryFailed(delivery=delivery, attempt=attempt, code=code, problem=problem),)


def _bounce(state: Delivery, command: RecordBounce) -> Sequence[Event]:
    """Counted once, however often it comes; one that is late says nothing of what was sent anew since."""
    if state.requested is None or not state.resent_after < command.attempt <= state.attempts:
        return ()
    if state.status not in (Status.accepted, Status.attempting, Status.deferred):
        return ()
    delivery = state.requested.delivery
    return (
        EmailBounced(delivery=delivery, attempt=command.attempt, kind=command.kind, status=command.status),
    )


def _resend(state: Delivery, reason: ResendingReason, at: datetime) -> Sequence[Event]:
    requested = _known(state)
    if not state.by_mail:
        raise Refused("not_a_mail", "These credentials were printed: print the same slip again.")
    if state.status is Status.superseded:
        raise Refused("superseded", "These credentials were replaced, used or ended.")
    if requested.expires <= at:
        raise Refused("expired", "The initial secret has ended: issue anew.")
    if state.status in OPEN:
        if reason is ResendingReason.address_corrected:
            return ()
        raise Refused("on_its_way", "This mail is still on its way: nothing is to be sent again.")
    number, after = state.resends + 1, state.attempts
    return (ResendRequested(delivery=requested.delivery, number=number, after=after, reason=reason),)


def _print(state: Delivery, at: datetime, reason: PrintingReason | None) -> Sequence[Event]:
    requested = _known(state)
    if requested.channel is not Channel.slip:
        if requested.exclusive:
            raise Refused(
                "other_channel_forbidden",
                "The school's policy sends these credentials by e-mail only: no slip may be printed (E3).",
            )
        raise Refused("not_a_slip", "These credentials go by e-mail.")
    if state.status is Status.superseded:
        raise Refused("superseded", "These credentials were replaced, used or ended.")
    if state.was_handed_over:
        raise Refused(
            "handed_over", "This slip was handed over: its copy is gone, it cannot be printed again."
        )
    if requested.expires <= at:
        raise Refused("expired", "The initial secret has ended: issue anew.")
    if not state.printings:
        reason = PrintingReason.first_printing
    elif reason is None or reason is PrintingReason.first_printing:
        raise Refused("reason_needed", "This slip was printed before: say why it is printed again.")
    return (SlipPrinted(delivery=requested.delivery, printing=state.printings + 1, reason=reason),)


def _known(state: Delivery) -> DeliveryRequested:
    if state.requested is None:
        raise Refused("not_requested", "No such delivery was asked for.")
    return state.requested


_BECOMES: dict[type[Event], Status] = {
    EmailAccepted: Status.accepted,
    EmailBounced: Status.bounced,
    EmailDeferred: Status.deferred,
    DeliveryFailed: Status.failed,
    DeliveryRefused: Status.refused,
    DeliverySuperseded: Status.superseded,
    SlipHandOverUndone: Status.printed,
}


def evolve(state: Delivery, event: Event) -> Delivery:
    match event:
        case DeliveryRequested():
            return replace(state, status=Status.requested, requested=event)
        case DeliveryAttempted(attempt=attempt):
            return replace(state, status=Status.attempting, attempts=attempt)
        case SlipPrinted(printing=printing):
            return replace(state, status=Status.printed, printings=printing)
        case SlipHandedOver():
            return replace(state, status=Status.handed_over, was_handed_over=True)
        case ResendRequested(number=number, after=after):
            return replace(state, status=Status.requested, resends=number, resent_after=after)
        case _:
            return replace(state, status=_BECOMES.get(type(event), state.status))


DELIVERY: Decider[Delivery, Command] = Decider("delivery", Delivery, decide, evolve)


def may_fall_back(state: Delivery) -> bool:
    """Whether a slip may stand in for this mail: it reached nobody, and the policy is not exclusive (E3). What is for
    an institutional mailbox goes nowhere else (E8)."""
    return (
        state.requested is not None
        and state.requested.channel is Channel.email
        and not state.requested.exclusive
        and state.status in (Status.failed, Status.refused, Status.bounced)
    )
