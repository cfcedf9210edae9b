"""Our own events -> where each delivery stands, and the steps that led there."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.event import Event, Recorded
from shared.contracts.notifications import (
    DeliveryAttempted,
    DeliveryFailed,
    DeliveryRefused,
    DeliveryRequested,
    DeliverySuperseded,
    EmailAccepted,
    EmailDeferred,
    SlipPrinted,
)
from shared.eventstore.projection import Change, Put, Row


def _now(delivery: str, recorded: Recorded[Event], status: str, **more: Any) -> Change:
    """The delivery's new status; problem, code and retry are those of this event or none."""
    fresh: dict[str, Any] = {"problem": None, "code": None, "retry_at": None}
    moved = {"status": status, "changed_at": recorded.time, "cause": recorded.id}
    return Change("deliveries_v1", {"delivery": delivery}, fresh | moved | more)


def _step_ended(delivery: str, attempt: int, recorded: Recorded[Event], outcome: str, **more: Any) -> Change:
    where = {"delivery": delivery, "kind": "mail", "number": attempt}
    ended: dict[str, Any] = {"outcome": outcome, "ended_at": recorded.time}
    fresh: dict[str, Any] = {"code": None, "problem": None, "retry_at": None}
    return Change("delivery_steps_v1", where, fresh | ended | more)


def _step(delivery: str, kind: str, number: int, recorded: Recorded[Event], reason: str | None) -> Put:
    return Put(
        "delivery_steps_v1",
        {
            "delivery": delivery,
            "kind": kind,
            "number": number,
            "at": recorded.time,
            "actor": recorded.actor,
            "reason": reason,
        },
    )


def _requested(event: DeliveryRequested, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "deliveries_v1",
        {
            "delivery": event.delivery,
            "school": recorded.school,
            "account": event.account,
            "holder": event.holder,
            "credential": event.credential,
            "generation": event.generation,
            "channel": event.channel.value,
            "exclusive": event.exclusive,
            "expires": event.expires,
            "status": "requested",
            "problem": None,
            "code": None,
            "attempts": 0,
            "printings": 0,
            "retry_at": None,
            "requested_at": recorded.time,
            "changed_at": recorded.time,
            "correlation": recorded.correlation,
            "cause": recorded.id,
        },
    )


def _attempted(event: DeliveryAttempted, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.delivery, recorded, "attempting", attempts=event.attempt)
    yield _step(event.delivery, "mail", event.attempt, recorded, None)


def _accepted(event: EmailAccepted, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.delivery, recorded, "accepted", code=event.code)
    yield _step_ended(event.delivery, event.attempt, recorded, "accepted", code=event.code)


def _deferred(event: EmailDeferred, recorded: Recorded[Event]) -> Iterable[Row]:
    told = {"problem": event.problem.value, "code": event.code, "retry_at": event.retry_at}
    yield _now(event.delivery, recorded, "deferred", **told)
    yield _step_ended(event.delivery, event.attempt, recorded, "deferred", **told)


def _failed(event: DeliveryFailed, recorded: Recorded[Event]) -> Iterable[Row]:
    told = {"problem": event.problem.value, "code": event.code}
    yield _now(event.delivery, recorded, "failed", **told)
    yield _step_ended(event.delivery, event.attempt, recorded, "failed", **told)


def _refused(event: DeliveryRefused, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.delivery, recorded, "refused", problem=event.problem.value)


def _printed(event: SlipPrinted, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.delivery, recorded, "printed", printings=event.printing)
    yield _step(event.delivery, "print", event.printing, recorded, event.reason.value)


def _superseded(event: DeliverySuperseded, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.delivery, recorded, "superseded")


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    DeliveryRequested: _requested,
    DeliveryAttempted: _attempted,
    EmailAccepted: _accepted,
    EmailDeferred: _deferred,
    DeliveryFailed: _failed,
    DeliveryRefused: _refused,
    SlipPrinted: _printed,
    DeliverySuperseded: _superseded,
}
