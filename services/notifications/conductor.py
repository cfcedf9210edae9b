"""What campaigns do unattended (E1): each opens on its date and completes when everybody has an outcome; one of which too
much comes back is told to the desk. It keeps nothing but what it saw last: a restart goes on where things stand.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from services.notifications.campaigns import CampaignRow, Outcome, at_work, bounced_of_sent, progress
from services.notifications.domain.alert import ALERT, Raise, alert_id
from services.notifications.domain.campaign import (
    CAMPAIGN,
    CampaignState,
    Command,
    CompleteCampaign,
    OpenCampaign,
    bounces_too_often,
)
from services.notifications.policies import ACTOR
from shared.contracts.event import Context
from shared.contracts.notifications import AlertKind
from shared.database import AdvisoryLock
from shared.eventstore.commands import Commands
from shared.ids import new_id
from shared.messaging.streams import Doorbell

log = structlog.get_logger()
POLL_SECONDS = 5.0
_BREATH = 1.0
_WATCHED = timedelta(days=14)
"""How long after its end a campaign's bounces are still counted: longer than a mail server goes on trying."""


class Conductor:
    """One at a time in an installation: holds the advisory lock as long as it works."""

    def __init__(self, commands: Commands, lock: AdvisoryLock, clock: Callable[[], datetime]) -> None:
        self._commands = commands
        self._store = commands.store
        self._lock = lock
        self._clock = clock
        self._bell = Doorbell()
        self._finished: dict[str, int] = {}
        self._told: set[str] = set()
        self._store.on_commit(self._bell.ring)

    async def work(self) -> None:
        """For as long as the service runs."""
        try:
            await self._lock.acquire()
            while self._lock.held():
                busy = await self.look()
                await self._bell.wait(_BREATH if busy else POLL_SECONDS)
                # Every mail rings: once in a while is enough.
                await asyncio.sleep(_BREATH)
        finally:
            await self._lock.release()

    async def look(self) -> bool:
        """Does what is due; whether a campaign is about to end, and should be looked at again soon."""
        now = self._clock()
        found = await at_work(self._store.pool, now - _WATCHED)
        ending = False
        for one in found:
            if one.state is CampaignState.planned and one.opens <= now:
                await self._do(one, OpenCampaign(now))
            elif one.state is CampaignState.open:
                ending |= await self._finish(one, now)
            if one.opened_at is not None and one.id not in self._told:
                await self._watch(one)
        self._finished = {one.id: self._finished[one.id] for one in found if one.id in self._finished}
        return ending

    async def _finish(self, one: CampaignRow, now: datetime) -> bool:
        """Completes what has nobody waiting at two looks in a row: between them who has just arrived was heard of."""
        seen = await progress(self._store.pool, one, now)
        if not seen.total or seen.outcomes[Outcome.waiting]:
            self._finished.pop(one.id, None)
            return False
        if self._finished.get(one.id) != seen.total:
            self._finished[one.id] = seen.total
            return True
        await self._do(one, CompleteCampaign(seen.sent, seen.failed))
        return False

    async def _watch(self, one: CampaignRow) -> None:
        sent, bounced = await bounced_of_sent(self._store.pool, one)
        if not bounces_too_often(sent, bounced):
            return
        kind = AlertKind.campaign_bounces
        await self._commands.execute(
            ALERT, alert_id(kind, one.id), Raise(kind, one.id), school=one.school, context=_context()
        )
        self._told.add(one.id)
        log.warning("campaign.bounces", campaign=one.id, sent=sent, bounced=bounced)

    async def _do(self, one: CampaignRow, command: Command) -> None:
        await self._commands.execute(CAMPAIGN, one.id, command, school=one.school, context=_context())
        log.info("campaign.moves", campaign=one.id, command=type(command).__name__)


def _context() -> Context:
    return Context(actor=ACTOR, correlation=new_id())
