"""The hand-over of a printed slip: once, to whom, by whom; undone with a reason (P5, P11).

A second view of a delivery's own stream: what is decided here and what is decided in `delivery` see each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.contracts.event import Event, Personal
from shared.contracts.notifications import (
    Delegate,
    DeliveryRequested,
    DeliverySuperseded,
    HandedTo,
    HandOverBy,
    SlipHandedOver,
    SlipHandOverUndone,
    SlipPrinted,
)
from shared.contracts.policy import Channel
from shared.contracts.registry import Note
from shared.decider import Decider, Refused


@dataclass(frozen=True, slots=True)
class SlipOnPaper:
    requested: DeliveryRequested | None = None
    printings: int = 0
    superseded: bool = False
    handed_over: SlipHandedOver | None = None


@dataclass(frozen=True, slots=True)
class HandOver:
    """`class_id`: where, None at the desk. `delegate`: the name of whoever took it for another. `current`: the slip
    bears the credentials that its holder has today, and they may be used.

    `by` a signed list says what happened earlier: the end of the secret's life does not stand against it.
    """

    at: datetime
    class_id: str | None
    to: HandedTo
    by: HandOverBy
    delegate: str | None = None
    current: bool = True


@dataclass(frozen=True, slots=True)
class UndoHandOver:
    reason: str


Command = HandOver | UndoHandOver


def decide(state: SlipOnPaper, command: Command) -> Sequence[Event]:
    """Raises `Refused`: not_requested, not_a_slip, not_printed, superseded, expired, already_handed_over,
    delegate_unnamed, not_handed_over, reason_needed."""
    if state.requested is None:
        raise Refused("not_requested", "No such slip was asked for.")
    match command:
        case HandOver():
            return _hand_over(state, state.requested, command)
        case UndoHandOver(reason):
            return _undo(state, state.requested, reason)


def _hand_over(state: SlipOnPaper, slip: DeliveryRequested, command: HandOver) -> Sequence[Event]:
    if slip.channel is not Channel.slip:
        raise Refused("not_a_slip", "These credentials go by e-mail: there is no sheet to hand over.")
    if not state.printings:
        raise Refused("not_printed", "This slip was not printed yet: print it first.")
    delegate = (command.delegate or "").strip() if command.to is HandedTo.delegate else ""
    if command.to is HandedTo.delegate and not delegate:
        raise Refused("delegate_unnamed", "Say who took the slip.")
    if state.handed_over is not None:
        if _same(state.handed_over, command, delegate):
            return ()
        raise Refused("already_handed_over", "This slip was handed over before: undo that first.")
    if state.superseded or not command.current:
        raise Refused(
            "superseded", "This sheet serves no more: its credentials were replaced or closed. Destroy it."
        )
    if slip.expires <= command.at and command.by is not HandOverBy.list:
        raise Refused("expired", "The initial password on this sheet has ended: issue anew.")
    named = Personal[Delegate](person=slip.holder, value=Delegate(name=delegate)) if delegate else None
    return (
        SlipHandedOver(
            delivery=slip.delivery,
            account=slip.account,
            holder=slip.holder,
            credential=slip.credential,
            class_id=command.class_id,
            to=command.to,
            by=command.by,
            delegate=named,
        ),
    )


def _same(before: SlipHandedOver, command: HandOver, delegate: str) -> bool:
    """Whether this is only said again, however it came to be known."""
    known = before.delegate.value.name if before.delegate and before.delegate.value else ""
    return (before.class_id, before.to, known) == (command.class_id, command.to, delegate)


def _undo(state: SlipOnPaper, slip: DeliveryRequested, reason: str) -> Sequence[Event]:
    if state.handed_over is None:
        raise Refused("not_handed_over", "No hand-over of this slip is recorded: there is nothing to undo.")
    if not reason.strip():
        raise Refused("reason_needed", "Say why the hand-over is undone.")
    return (
        SlipHandOverUndone(
            delivery=slip.delivery,
            account=slip.account,
            holder=slip.holder,
            credential=slip.credential,
            reason=Personal(person=slip.holder, value=Note(text=reason.strip())),
        ),
    )


def evolve(state: SlipOnPaper, event: Event) -> SlipOnPaper:
    match event:
        case DeliveryRequested():
            return replace(state, requested=event)
        case SlipPrinted(printing=printing):
            return replace(state, printings=printing)
        case DeliverySuperseded():
            return replace(state, superseded=True)
        case SlipHandedOver():
            return replace(state, handed_over=event)
        case SlipHandOverUndone():
            return replace(state, handed_over=None)
    return state


HAND_OVER: Decider[SlipOnPaper, Command] = Decider("delivery", SlipOnPaper, decide, evolve)
