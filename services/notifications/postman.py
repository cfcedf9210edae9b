"""The postman: takes due mails to the mail server, and writes down what became of each (DESIGN 4, S4, M2).

At least once, and it says so: the attempt is written before the message leaves, the outcome after. A crash in
between sends the same message again, with the same secret and the same Message-ID.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from functools import partial

import structlog

from services.notifications.channels.email.compose import compose
from services.notifications.claims import Claimed, ClaimsUnavailable, NotOpened, Opened, claim
from services.notifications.domain.delivery import DELIVERY
from services.notifications.domain.delivery_commands import Attempt, GiveUp, Supersede
from services.notifications.domain_pace import in_pace, paced
from services.notifications.epoch_keys import EpochKeys
from services.notifications.letters import Letter, letters
from services.notifications.policies import ACTOR
from services.notifications.post_office import PostOffice
from services.notifications.sending import Sending
from shared import faults
from shared.contracts.event import Context
from shared.contracts.notifications import DeliveryProblem
from shared.database import AdvisoryLock
from shared.decider import Refused as CommandRefused
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import Committed, Unit
from shared.messaging.bus import Bus
from shared.messaging.streams import Doorbell
from shared.sealing import ClaimReason, InitialSecret
from shared.sql import Statements

log = structlog.get_logger()
SQL = Statements(__file__)
BATCH = 100
POLL_SECONDS = 5.0
HOLD = timedelta(seconds=60)
TROUBLE_SECONDS = 5.0
_PACE = "pace"


@dataclass(frozen=True, slots=True)
class _Ready:
    letter: Letter
    secret: InitialSecret = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Attempted:
    letter: Letter
    attempt: int
    context: Context
    secret: InitialSecret = field(repr=False)


class Postman:
    """One at a time in an installation: holds the advisory lock as long as it works."""

    def __init__(
        self,
        commands: Commands,
        bus: Bus,
        keys: EpochKeys,
        sending: Sending,
        lock: AdvisoryLock,
        office: PostOffice,
        clock: Callable[[], datetime],
        trouble_seconds: float = TROUBLE_SECONDS,
    ) -> None:
        self._commands = commands
        self._store = commands.store
        self._bus = bus
        self._keys = keys
        self._sending = sending
        self._lock = lock
        self._office = office
        self._clock = clock
        self._bell = Doorbell()
        self._trouble_seconds = trouble_seconds
        self._held: dict[str, tuple[datetime, str]] = {}
        self._waiting_for_claims = False
        self._store.on_commit(self._bell.ring)

    @property
    def reachable(self) -> bool | None:
        """Whether the mail server answered last; None before the first message."""
        return self._sending.reachable

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

    @property
    def key_missing(self) -> bool:
        """Whether mails wait whose secret was sealed to a key that we do not have."""
        return any(reason in (NotOpened.key_missing, NotOpened.damaged) for _, reason in self._held.values())

    async def round(self) -> bool:
        """One batch; False when nothing was due. With trouble at hand, the next try is of one mail alone."""
        ids = await self._due(BATCH if self.reachable else 1)
        if not ids:
            return False
        try:
            ready = await self._open(await self._in_pace(ids))
        except ClaimsUnavailable:
            if not self._waiting_for_claims:
                log.info("postman.waits", reason="identity does not answer claims")
            self._waiting_for_claims = True
            await asyncio.sleep(self._trouble_seconds)
            return True
        self._waiting_for_claims = False
        await self._sending.each(await self._attempt(ready), self._send)
        if self.reachable is False:
            # Commits ring our own bell: only sleep keeps one unreachable server from costing every mail a try.
            await asyncio.sleep(self._trouble_seconds)
        return True

    async def _due(self, most: int) -> list[str]:
        now = self._clock()
        self._held = {delivery: held for delivery, held in self._held.items() if held[0] > now}
        rows = await self._store.pool.fetch(SQL("due"), now, list(self._held), most)
        return [row["delivery"] for row in rows]

    async def _until_due(self) -> float:
        now = self._clock()
        retry_at = await self._store.pool.fetchval(SQL("next_retry"), now)
        times = [until for until, reason in self._held.values() if reason == _PACE]
        times += [retry_at] if retry_at else []
        seconds = (min(times) - now).total_seconds() if times else POLL_SECONDS
        return min(max(seconds, 0.05), POLL_SECONDS)

    async def _in_pace(self, ids: Sequence[str]) -> list[Letter]:
        """The letters of these deliveries, but those for a domain that has had its share of this minute."""
        found = await letters(self._store.pool, ids)
        waits = await in_pace(self._store.pool, list(found.values()), self._clock())
        for delivery, until in waits.items():
            self._held[delivery] = until, _PACE
        if waits:
            log.info("postman.keeps_pace", mails=len(waits))
        return [letter for delivery, letter in found.items() if delivery not in waits]

    async def _open(self, batch: Sequence[Letter]) -> list[_Ready]:
        """Claims the sealed slips of a batch and opens them. What cannot be opened is settled, or held."""
        ready: list[_Ready] = []
        settled: list[tuple[Letter, Supersede | GiveUp]] = []
        sendable = []
        for letter in batch:
            if letter.secret not in ("", "sealed"):
                settled.append((letter, Supersede(idle=True)))
            elif not letter.address:
                settled.append((letter, GiveUp(DeliveryProblem.no_address)))
            elif not letter.complete:
                self._hold(letter, "incomplete")
            elif letter.no_data_access:
                self._hold(letter, "no_data_access")
            else:
                sendable.append(letter)
        for reason, some in _by_reason(sendable):
            claimed = await self._claimed(reason, some)
            for letter in some:
                found = claimed.open(self._keys, letter.school, letter.credential)
                if isinstance(found, Opened) and found.generation == letter.generation:
                    ready.append(_Ready(letter, found.secret))
                elif (command := self._without_secret(letter, found)) is not None:
                    settled.append((letter, command))
        await self._settle(settled)
        return ready

    async def _claimed(self, reason: ClaimReason, some: Sequence[Letter]) -> Claimed:
        return await claim(self._bus, [letter.credential for letter in some], reason)

    def _without_secret(self, letter: Letter, found: Opened | NotOpened) -> Supersede | GiveUp | None:
        match found:
            case Opened(generation=generation):
                if generation > letter.generation:
                    return Supersede(idle=True)
                self._hold(letter, "older_generation")
            case NotOpened.gone | NotOpened.expired:
                return Supersede(idle=True)
            case NotOpened.too_many_claims:
                return GiveUp(DeliveryProblem.gave_up)
            case NotOpened.unknown:
                return GiveUp(DeliveryProblem.no_longer_available)
            case NotOpened.key_missing | NotOpened.damaged:
                # It may be the wrong file: nothing is given up, and /readyz says what is wrong.
                self._hold(letter, found.value)
        return None

    def _hold(self, letter: Letter, reason: str) -> None:
        self._held[letter.delivery] = self._clock() + HOLD, reason
        log.warning("postman.holds", delivery=letter.delivery, reason=reason)

    async def _settle(self, settled: Iterable[tuple[Letter, Supersede | GiveUp]]) -> None:
        for letter, command in settled:
            await self._commands.execute(
                DELIVERY, letter.delivery, command, school=letter.school, context=letter.context(ACTOR)
            )

    async def _attempt(self, ready: Sequence[_Ready]) -> list[_Attempted]:
        """Writes the attempts of a batch in one commit, before anything leaves."""
        workspace = Workspace(self._store)
        await workspace.load(DELIVERY, [one.letter.delivery for one in ready])
        units, trying = [], []
        for one in ready:
            try:
                workspace.decide(DELIVERY, one.letter.delivery, Attempt(self._clock()))
            except CommandRefused as refused:
                log.info("postman.skips", delivery=one.letter.delivery, reason=refused.reason)
                continue
            writes = paced(one.letter, self._clock())
            units.append(Unit(one.letter.school, one.letter.context(ACTOR), workspace.appends(), writes))
            trying.append(one)
        attempted = []
        for one, outcome in zip(trying, await self._store.commit(units) if units else (), strict=True):
            if isinstance(outcome, Committed):
                (recorded,) = outcome.events
                context = one.letter.context(ACTOR).model_copy(update={"causation": recorded.id})
                attempt = workspace.state(DELIVERY, one.letter.delivery).attempts
                attempted.append(_Attempted(one.letter, attempt, context, one.secret))
        faults.reach(faults.Point.mail_attempted)
        return attempted

    async def _send(self, one: _Attempted) -> None:
        letter = one.letter
        outcome = await self._sending.outcome(
            partial(self._message, one), letter.address, one.attempt, letter.resent_after
        )
        faults.reach(faults.Point.mail_accepted)
        await self._commands.execute(
            DELIVERY, letter.delivery, outcome, school=letter.school, context=one.context
        )
        log.info(
            "postman.tried", delivery=letter.delivery, attempt=one.attempt, outcome=type(outcome).__name__
        )

    def _message(self, one: _Attempted) -> EmailMessage:
        message = compose(self._office.mail(one.letter, one.secret, self._clock()))
        return self._office.stamped(message, "delivery", one.letter.delivery, one.attempt)


def _by_reason(some: Sequence[Letter]) -> list[tuple[ClaimReason, list[Letter]]]:
    """Those that go for the first time, and those that go again (M8): identity writes down why it was asked."""
    first = [letter for letter in some if not letter.resends]
    again = [letter for letter in some if letter.resends]
    return [
        (reason, part) for reason, part in ((ClaimReason.send, first), (ClaimReason.resend, again)) if part
    ]
