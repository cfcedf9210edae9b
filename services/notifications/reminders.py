"""Who was delivered credentials and never signed in is reminded: after the days of the policy in force, twice at most.

Unattended; a reminder carries no secret, and is asked for only while the credentials live. The desk can ask for those of
a class sooner. Nobody is reminded twice on one day.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from services.notifications.domain.notice import MOST_REMINDERS, NOTICE, RequestNotice, reminder_id
from services.notifications.policies import ACTOR
from shared.contracts.event import Context
from shared.contracts.notifications import NoticeKind
from shared.database import AdvisoryLock
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Committed, Unit
from shared.ids import new_id
from shared.policies import policies_in_force
from shared.sql import Statements

log = structlog.get_logger()
SQL = Statements(__file__)
BATCH = 500
EVERY_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Reminded:
    """`holders`: those for whom a message was asked for now."""

    holders: tuple[str, ...]


class Reminders:
    """The loop that asks for what is due; `NoticePostman` sends it."""

    def __init__(
        self,
        store: EventStore,
        lock: AdvisoryLock,
        clock: Callable[[], datetime],
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._store = store
        self._lock = lock
        self._clock = clock
        self._every = every_seconds

    async def work(self) -> None:
        """For as long as the service runs."""
        try:
            await self._lock.acquire()
            while self._lock.held():
                if not await self.round():
                    await asyncio.sleep(self._every)
        finally:
            await self._lock.release()

    async def round(self) -> int:
        """Asks for what is due now, some hundreds at most; how many."""
        now = self._clock()
        schools = [row["school"] for row in await self._store.pool.fetch(SQL("schools"))]
        days = {
            school: policy.reminder_days
            for school, policy in (await policies_in_force(self._store.pool, schools, now)).items()
            if policy.reminder_days is not None
        }
        asked = await _ask(self._store, days, None, now, Context(actor=ACTOR, correlation=new_id()))
        if asked.holders:
            log.info("reminders.asked", reminders=len(asked.holders))
        return len(asked.holders)


async def remind_class(
    store: EventStore, school: str, class_ids: Sequence[str], now: datetime, actor: str
) -> Reminded:
    """Reminds at once everybody of these classes who never signed in: not who was reminded today, or twice already."""
    context = Context(actor=actor, correlation=new_id())
    return await _ask(store, {school: 0}, list(class_ids), now, context)


async def remindable(store: EventStore, school: str, class_ids: Sequence[str], now: datetime) -> int:
    """How many people of these classes `remind_class` would remind now."""
    return len(await _due(store, {school: 0}, list(class_ids), now))


async def _due(
    store: EventStore, days: dict[str, int], class_ids: list[str] | None, now: datetime
) -> list[Any]:
    values = now, list(days), list(days.values()), class_ids, BATCH, MOST_REMINDERS
    return list(await store.pool.fetch(SQL("due_reminders"), *values))


async def _ask(
    store: EventStore,
    days: dict[str, int],
    class_ids: list[str] | None,
    now: datetime,
    context: Context,
) -> Reminded:
    rows = await _due(store, days, class_ids, now)
    workspace = Workspace(store)
    wanted = {reminder_id(row["credential"], row["number"]): row for row in rows}
    await workspace.load(NOTICE, wanted)
    units: list[Unit] = []
    asking: list[Any] = []
    for notice, row in wanted.items():
        command = RequestNotice(
            notice=notice,
            kind=NoticeKind.reminder,
            holder=row["holder"],
            about=row["credential"],
            account=row["account"],
            number=row["number"],
        )
        workspace.decide(NOTICE, notice, command)
        if appends := workspace.appends():
            units.append(Unit(row["school"], context, appends))
            asking.append(row["holder"])
    outcomes = await store.commit(units) if units else ()
    # A conflict: somebody else asked for the very same reminder at this moment.
    return Reminded(tuple(h for h, o in zip(asking, outcomes, strict=True) if isinstance(o, Committed)))
