"""All invariants, one look after the other; what seems violated is looked at again before it is said."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import asyncpg
from nats.errors import Error as NatsError

from deploy.environment import SERVICES, Wiring
from deploy.inspection.credentials import credentials
from deploy.inspection.deliveries import deliveries
from deploy.inspection.finding import Finding, Invariant, Outcome
from deploy.inspection.history import history
from deploy.inspection.holders import holders
from deploy.inspection.ingress import ingress
from deploy.inspection.numbering import numbering
from deploy.inspection.projections import projections
from deploy.inspection.snapshots import Look, look_at
from deploy.inspection.streams import streams
from shared.messaging.bus import BusUnavailable
from shared.messaging.streams import NoLeader, PublishRefused, StreamMissing

Check = Callable[[Look], Awaitable[list[Finding]]]
Progress = Callable[[str], None]
_NOT_THERE = (
    OSError,
    TimeoutError,
    NatsError,
    BusUnavailable,
    NoLeader,
    StreamMissing,
    PublishRefused,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
CHECKS: Mapping[str, tuple[Check, tuple[Invariant, ...]]] = {
    "numbers": (numbering, (Invariant.positions, Invariant.school_positions, Invariant.stream_versions)),
    "histories": (history, (Invariant.entries, Invariant.seen, Invariant.causes, Invariant.keys)),
    "streams": (streams, (Invariant.streams, Invariant.cursors)),
    "credentials": (
        credentials,
        (Invariant.credentials, Invariant.passwords, Invariant.slips, Invariant.requests),
    ),
    "holders": (holders, (Invariant.holders,)),
    "deliveries": (deliveries, (Invariant.deliveries,)),
    "ingress": (ingress, (Invariant.ingress,)),
    "projections": (projections, (Invariant.projections,)),
}
"""What is looked at, in order, and which invariants each look is for."""


def _silent(_: str) -> None:
    """The progress of who does not want to hear of it."""


async def inspect(
    wiring: Wiring,
    only: Collection[Invariant] | None = None,
    *,
    patience: float = 3.0,
    progress: Progress = _silent,
) -> list[Finding]:
    """Look at every invariant (or at those in `only`) of an installation, which may be at work meanwhile.

    A violation is said only when a second look, `patience` seconds later and at a moment of its own, finds it again.
    Never raises for what does not answer: that is a finding `could-not-look`.
    """
    chosen = [
        name
        for name, (_, invariants) in CHECKS.items()
        if only is None or not set(only).isdisjoint(invariants)
    ]
    findings = await _look(wiring, chosen, progress)
    suspects = [name for name in chosen if any(f.outcome is Outcome.violated for f in findings[name])]
    if suspects:
        await asyncio.sleep(patience)
        findings |= await _look(wiring, suspects, progress)
    return [f for name in chosen for f in findings[name] if only is None or f.invariant in only]


async def _look(wiring: Wiring, names: Collection[str], progress: Progress) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    async with look_at(wiring) as look:
        for name in names:
            progress(name)
            check, invariants = CHECKS[name]
            try:
                findings[name] = await check(look)
            except _NOT_THERE as trouble:
                said = (
                    str(trouble)
                    if isinstance(trouble, BusUnavailable | StreamMissing)
                    else type(trouble).__name__
                )
                findings[name] = [_not_looked(i, s, said) for i in invariants for s in SERVICES]
                continue
            findings[name] += [
                _not_looked(i, service, why)
                for service, why in look.trouble.items()
                for i in invariants
                if not any(f.service == service and f.invariant is i for f in findings[name])
            ]
    return findings


def _not_looked(invariant: Invariant, service: str, why: str) -> Finding:
    return Finding(invariant, service, Outcome.could_not_look, why)
