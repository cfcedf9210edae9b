"""What comes back, from wherever it is read: which message it was, and that it did not arrive (S4, E3)."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

import structlog

from services.notifications.channels.email.returned import Report, read_report
from services.notifications.domain.delivery import DELIVERY, Status
from services.notifications.domain.delivery_commands import RecordBounce
from services.notifications.domain.notice import NOTICE, RecordNoticeBounce
from services.notifications.policies import ACTOR
from services.notifications.return_paths import Returned, ReturnPaths
from shared.contracts.event import Context, Event, Recorded
from shared.contracts.notifications import BounceKind
from shared.eventstore.commands import Commands, Executed
from shared.eventstore.units import History

log = structlog.get_logger()
_WAIT_SECONDS = 0.25
_WAITS = 8
"""A report may be faster than the word of the server that took the message: that word is waited for so often."""


class Taken(StrEnum):
    """What became of a mail that was handed in. `not_ours`: it names no message that was sent from here."""

    counted = "counted"
    known = "known"
    delayed = "delayed"
    no_report = "no_report"
    not_ours = "not_ours"


@dataclass(frozen=True, slots=True)
class Bounces:
    commands: Commands
    returns: ReturnPaths

    async def take(self, raw: bytes) -> Taken:
        """One mail, as it came. The same one may be handed in any number of times."""
        report = await asyncio.to_thread(read_report, raw)
        if report is None:
            taken = Taken.no_report
        elif report.outcome == "delayed":
            taken = Taken.delayed
        elif (returned := next(self.returns.find(report.text), None)) is None:
            taken = Taken.not_ours
        else:
            taken = await self._record(returned, report)
        log.info("bounces.taken", outcome=taken.value, status=report.status if report is not None else None)
        return taken

    async def _record(self, returned: Returned, report: Report) -> Taken:
        kind = BounceKind.temporary if report.status.startswith("4") else BounceKind.permanent
        if returned.kind == "delivery":
            return await self._record_delivery(returned, kind, report.status)
        history = await self._history(NOTICE.stream(returned.id))
        if not history:
            return Taken.not_ours
        command = RecordNoticeBounce(returned.attempt, kind, report.status)
        return _taken(
            await self.commands.execute(
                NOTICE, returned.id, command, school=history[0].school, context=_context(history[-1])
            )
        )

    async def _record_delivery(self, returned: Returned, kind: BounceKind, status: str) -> Taken:
        for _ in range(_WAITS):
            history = await self._history(DELIVERY.stream(returned.id))
            if DELIVERY.fold(r.event for r in history).status is not Status.attempting:
                break
            await asyncio.sleep(_WAIT_SECONDS)
        if not history:
            return Taken.not_ours
        command = RecordBounce(returned.attempt, kind, status)
        return _taken(
            await self.commands.execute(
                DELIVERY, returned.id, command, school=history[0].school, context=_context(history[-1])
            )
        )

    async def _history(self, stream: str) -> History:
        return (await self.commands.store.load([stream], frozenset())).get(stream) or History()


def _taken(executed: Executed) -> Taken:
    return Taken.counted if executed.events else Taken.known


def _context(last: Recorded[Event]) -> Context:
    return Context(actor=ACTOR, correlation=last.correlation, causation=last.id)
