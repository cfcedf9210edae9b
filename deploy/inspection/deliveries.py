"""Every delivery ends in exactly one outcome, or somebody is still to work on it (S4, M2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from deploy.inspection.aggregates import UNREADABLE, Aggregate, Fact, aggregates
from deploy.inspection.finding import Finding, Invariant, Wrong, found
from deploy.inspection.snapshots import SQL, Look, Snapshot
from services.notifications.domain.delivery import delivery_id, fallback_id

GRACE = timedelta(minutes=10)
"""How long after the end of its secret a delivery may still be without an outcome: identity shreds, we follow."""
_OUTCOME = {
    "EmailAccepted": "accepted",
    "DeliveryFailed": "failed",
    "DeliveryRefused": "refused",
    "DeliverySuperseded": "superseded",
}
_OPEN = ("requested", "attempting", "deferred")
_BY_HAND = "slip"


@dataclass(slots=True)
class Delivery:
    """`since`: when it came to stand as it does."""

    id: str
    status: str = ""
    since: datetime | None = None
    requested: Mapping[str, Any] = field(default_factory=dict)
    expires: datetime | None = None
    attempts: int = 0
    printings: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.status in _OPEN

    def says(self, what: str) -> None:
        self.wrong.append(f"delivery {self.id}: {what}")


def told(aggregate: Aggregate) -> Delivery:
    """The delivery after all its facts; what should never have been written is in `wrong`."""
    delivery = Delivery(aggregate.id)
    for fact in aggregate.facts:
        try:
            _heed(delivery, fact)
        except UNREADABLE:
            delivery.says(f"{fact.name} at position {fact.position} cannot be read")
        delivery.since = fact.time
    return delivery


def _heed(delivery: Delivery, fact: Fact) -> None:
    if fact.name == "DeliveryRequested":
        _requested(delivery, fact)
    elif not delivery.requested:
        delivery.says(f"{fact.name} of what was never asked for")
    else:
        _step(delivery, fact)


def _requested(delivery: Delivery, fact: Fact) -> None:
    if delivery.requested:
        delivery.says("was asked for twice")
    named = (fact.data["credential"], fact.data["generation"])
    delivery.expires = datetime.fromisoformat(fact.data["expires"])
    delivery.requested, delivery.status = fact.data, "requested"
    if delivery.id not in (delivery_id(*named), fallback_id(*named)):
        delivery.says("is not the one delivery of its credential")


def _step(delivery: Delivery, fact: Fact) -> None:
    before, attempt = delivery.status, fact.data.get("attempt")
    match fact.name:
        case "DeliveryAttempted":
            fine = delivery.open and attempt == delivery.attempts + 1
            delivery.attempts, delivery.status = attempt or 0, "attempting"
        case "EmailDeferred":
            fine = before == "attempting" and attempt == delivery.attempts
            delivery.status = "deferred"
        case "EmailAccepted":
            fine = before == "attempting" and attempt == delivery.attempts
            delivery.status = "accepted"
        case "EmailBounced":
            fine = before in ("accepted", "attempting", "deferred") and (attempt or 0) <= delivery.attempts
            delivery.status = "bounced"
        case "ResendRequested":
            fine = before in ("accepted", "bounced", "failed", "refused")
            delivery.status = "requested"
        case "SlipPrinted":
            fine = before in ("requested", "printed") and fact.data["printing"] == delivery.printings + 1
            delivery.printings, delivery.status = fact.data["printing"], "printed"
        case name if name in _OUTCOME:
            fine = delivery.open and attempt in (None, delivery.attempts)
            delivery.status = _OUTCOME[name]
        case _:
            return
    if not fine:
        delivery.says(f"{fact.name} came after {before}")


async def deliveries(look: Look) -> list[Finding]:
    """A walk through all deliveries; what each is of is asked of identity, whose snapshot is younger."""
    if (snapshot := look.snapshots.get("notifications")) is None:
        return []
    wrong, counts = Wrong(), dict.fromkeys(("deliveries", "to-send", "to-print", "attempts"), 0)
    oldest: datetime | None = None
    identity = look.snapshots.get("identity")
    async for some in aggregates(snapshot, "delivery"):
        batch = [told(one) for one in some]
        issued = await _issued(identity, batch)
        for delivery in batch:
            judge(delivery, issued, snapshot.taken)
            for text in delivery.wrong:
                wrong.add(text)
            counts["deliveries"] += 1
            counts["attempts"] += delivery.attempts
            if delivery.open and delivery.requested.get("channel") == _BY_HAND:
                counts["to-print"] += 1
            elif delivery.open:
                counts["to-send"] += 1
                oldest = min(oldest or snapshot.taken, delivery.since or snapshot.taken)
    if oldest is not None and not wrong.count:
        text = f"the oldest mail on its way stands as it does since {oldest:%Y-%m-%d %H:%M:%S} UTC"
        return [_with(found(Invariant.deliveries, "notifications", wrong, counts), text)]
    return [found(Invariant.deliveries, "notifications", wrong, counts)]


def _with(finding: Finding, text: str) -> Finding:
    return Finding(finding.invariant, finding.service, finding.outcome, text, finding.counts)


def judge(delivery: Delivery, issued: Mapping[str, asyncpg.Record] | None, now: datetime) -> None:
    """Adds what is wrong with the delivery as a whole; `issued` by credential, None where identity cannot be asked."""
    if not delivery.requested:
        return
    data = delivery.requested
    if issued is not None:
        row = issued.get(data["credential"])
        if row is None or (row["account"], row["generation"]) != (data.get("account"), data["generation"]):
            delivery.says(f"is of credential {data['credential']}, which was never issued")
    if delivery.open and delivery.expires is not None and delivery.expires + GRACE < now:
        delivery.says(f"is {delivery.status} since {delivery.since}, past its life: nobody works on it")


async def _issued(
    identity: Snapshot | None, batch: Sequence[Delivery]
) -> Mapping[str, asyncpg.Record] | None:
    if identity is None:
        return None
    named = [d.requested["credential"] for d in batch if d.requested]
    return {r["credential"]: r for r in await identity.connection.fetch(SQL("issued_as"), named)}
