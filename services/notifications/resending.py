"""Sending again, with the same secret: at the desk's wish, or because an address was put right (M8, E3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.notifications import queries
from services.notifications.domain.delivery import DELIVERY
from services.notifications.domain.delivery_commands import Resend
from services.notifications.operations import Desk
from services.notifications.policies import ACTOR
from shared.contracts.event import Context, Event, Recorded, because_of
from shared.contracts.notifications import ResendingReason
from shared.contracts.policy import Channel
from shared.contracts.registry import ContactAddressCorrected, InstitutionalMailboxActivated
from shared.decider import Refused
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Unit
from shared.messaging.reader import React
from shared.sql import Statements

SQL = Statements(__file__)
_NO_ADDRESS = "no_address"
_ENDED = "ended"


class NoSuchDelivery(Exception):
    """For whoever asks it does not exist."""


@dataclass(frozen=True, slots=True)
class ResendOrder:
    delivery: str
    school: str
    reason: ResendingReason
    actor: str
    traceparent: str | None = None


async def resend(desk: Desk, order: ResendOrder) -> None:
    """The postman takes it from here. Raises `NoSuchDelivery`, and `Refused` with no_address, no_data_access, ended (the
    sealed copy is gone: issue anew), expired, superseded, on_its_way, not_a_mail."""
    pool = desk.commands.store.pool
    found = await queries.delivery(pool, order.delivery, order.school)
    if found is None:
        raise NoSuchDelivery
    await _check(desk, order.delivery, found)
    context = Context(actor=order.actor, correlation=found["correlation"], traceparent=order.traceparent)
    command = Resend(order.reason, desk.now)
    await desk.commands.execute(DELIVERY, order.delivery, command, school=order.school, context=context)


async def _check(desk: Desk, delivery: str, found: Any) -> None:
    row = await desk.commands.store.pool.fetchrow(SQL("resendable"), delivery)
    if found["no_data_access"]:
        raise Refused("no_data_access", "This guardian may see no child's data: nothing is sent.")
    if row is None or row["secret"] not in (None, "sealed"):
        raise Refused(_ENDED, "The initial secret was used, replaced or ended: issue anew.")
    if found["channel"] != Channel.slip.value and not row["reachable"]:
        raise Refused(_NO_ADDRESS, "There is no address to send it to: correct it first.")


def follow_registry(store: EventStore) -> React:
    """The reaction to the registry's history: an address was put right, or a mailbox receives at last. What had reached
    nobody goes there at once; whatever is gone by then, the desk issues anew."""

    async def react(events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
        wanted = [r for r in events if _whose(r.event) is not None]
        return await _send_again(store, wanted) if wanted else ()

    return react


def _whose(event: Event) -> tuple[str, Channel] | None:
    match event:
        case ContactAddressCorrected(guardian=guardian, address=address) if address.value is not None:
            return guardian, Channel.email
        case InstitutionalMailboxActivated(student=student, mailbox=mailbox) if mailbox.value is not None:
            return student, Channel.institutional_mailbox
    return None


async def _send_again(store: EventStore, events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
    now = store.clock()
    holders = [whose[0] for r in events if (whose := _whose(r.event)) is not None]
    rows = await store.pool.fetch(SQL("reached_nobody"), holders, now)
    workspace = Workspace(store)
    await workspace.load(DELIVERY, [row["delivery"] for row in rows])
    units = []
    for recorded in events:
        for row in rows:
            if (row["holder"], row["channel"]) != _whose(recorded.event):
                continue
            try:
                workspace.decide(DELIVERY, row["delivery"], Resend(ResendingReason.address_corrected, now))
            except Refused:
                continue
        if appends := workspace.appends():
            units.append(Unit(recorded.school, because_of(recorded, actor=ACTOR), appends))
    return units
