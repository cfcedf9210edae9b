"""The postman of notices: reminders and circulars to the mail server, and what became of each (P10, E11, S4).

With the same discipline as credentials: at least once, and it says so. The attempt is written before the message
leaves, the outcome after; a crash in between sends the same message again, with the same Message-ID.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from functools import partial

import structlog

from services.notifications.channels.email.notices import compose
from services.notifications.domain.notice import NOTICE, AttemptNotice, DropNotice
from services.notifications.notice_letters import NoticeLetter, notice_letters
from services.notifications.policies import ACTOR
from services.notifications.post_office import PostOffice
from services.notifications.sending import Sending
from shared.contracts.event import Context
from shared.database import AdvisoryLock
from shared.decider import Refused
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import Committed, Unit
from shared.messaging.streams import Doorbell
from shared.sql import Statements

log = structlog.get_logger()
SQL = Statements(__file__)
BATCH = 100
POLL_SECONDS = 5.0
TROUBLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Attempted:
    letter: NoticeLetter
    attempt: int
    context: Context


class NoticePostman:
    """One at a time in an installation: holds the advisory lock as long as it works."""

    def __init__(
        self,
        commands: Commands,
        sending: Sending,
        lock: AdvisoryLock,
        office: PostOffice,
        clock: Callable[[], datetime],
        trouble_seconds: float = TROUBLE_SECONDS,
    ) -> None:
        self._commands = commands
        self._store = commands.store
        self._sending = sending
        self._lock = lock
        self._office = office
        self._clock = clock
        self._bell = Doorbell()
        self._trouble_seconds = trouble_seconds
        self._store.on_commit(self._bell.ring)

    async def work(self) -> None:
        """For as long as the service runs."""
        self._sending.reopen()
        try:
            await self._lock.acquire()
            while self._lock.held():
                if not await self.round():
                    await self._bell.wait(await self._until_due())
        finally:
            await self._lock.release()

    async def round(self) -> bool:
        """One batch; False when nothing was due. With the mail server away, the next try is of one notice alone."""
        now = self._clock()
        most = 1 if self._sending.reachable is False else BATCH
        rows = await self._store.pool.fetch(SQL("due_notices"), now, [], most)
        if not rows:
            return False
        found = await notice_letters(self._store.pool, [row["notice"] for row in rows], now)
        await self._sending.each(await self._attempt(found, now), self._send)
        if self._sending.reachable is False:
            # Commits ring our own bell: only sleep keeps one unreachable server from costing every notice a try.
            await asyncio.sleep(self._trouble_seconds)
        return True

    async def _until_due(self) -> float:
        retry_at = await self._store.pool.fetchval(SQL("next_notice"), self._clock())
        seconds = (retry_at - self._clock()).total_seconds() if retry_at else POLL_SECONDS
        return min(max(seconds, 0.05), POLL_SECONDS)

    async def _attempt(self, found: Sequence[NoticeLetter], now: datetime) -> list[_Attempted]:
        """Writes the attempts of a batch in one commit, before anything leaves; what has nothing left to say, or
        nobody to say it to, ends in the same one."""
        workspace = Workspace(self._store)
        await workspace.load(NOTICE, [letter.notice for letter in found])
        units: list[Unit] = []
        trying: list[NoticeLetter | None] = []
        for letter in found:
            hindrance = letter.hindrance(now)
            command = AttemptNotice() if hindrance is None else DropNotice(hindrance)
            try:
                workspace.decide(NOTICE, letter.notice, command)
            except Refused as refused:
                log.info("notices.skips", notice=letter.notice, reason=refused.reason)
                continue
            if appends := workspace.appends():
                units.append(Unit(letter.school, letter.context(ACTOR), appends))
                trying.append(letter if hindrance is None else None)
        attempted = []
        for sent, outcome in zip(trying, await self._store.commit(units) if units else (), strict=True):
            if sent is not None and isinstance(outcome, Committed):
                context = sent.context(ACTOR).model_copy(update={"causation": outcome.events[-1].id})
                attempt = workspace.state(NOTICE, sent.notice).attempts
                attempted.append(_Attempted(sent, attempt, context))
        return attempted

    async def _send(self, one: _Attempted) -> None:
        letter = one.letter
        message = partial(self._message, one)
        outcome = await self._sending.outcome(message, letter.address, one.attempt)
        await self._commands.execute(
            NOTICE, letter.notice, outcome, school=letter.school, context=one.context
        )
        log.info("notices.tried", notice=letter.notice, attempt=one.attempt, outcome=type(outcome).__name__)

    def _message(self, one: _Attempted) -> EmailMessage:
        message = compose(one.letter.mail(self._office, self._clock()))
        return self._office.stamped(message, "notice", one.letter.notice, one.attempt)
