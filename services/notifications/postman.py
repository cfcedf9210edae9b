"""The postman: takes due mails to the mail server, and writes down what became of each (DESIGN 4, S4, M2).

At least once, and it says so: the attempt is written before the message leaves, the outcome after. A crash in
between sends the same message again, with the same secret and the same Message-ID.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Protocol

import structlog

from services.notifications.channels.email.address import BadAddress
from services.notifications.channels.email.backoff import backoff
from services.notifications.channels.email.compose import compose
from services.notifications.channels.email.outcome import (
    Accepted,
    Deferred,
    NotReached,
    Refused,
    SendOutcome,
)
from services.notifications.claims import ClaimsUnavailable, NotOpened, Opened, claim
from services.notifications.domain.delivery import DELIVERY
from services.notifications.domain.delivery_commands import (
    Attempt,
    GiveUp,
    Outcome,
    RecordAccepted,
    RecordDeferred,
    RecordFailed,
    Supersede,
)
from services.notifications.epoch_keys import EpochKeys
from services.notifications.letters import Letter, letters
from services.notifications.policies import ACTOR
from services.notifications.post_office import PostOffice
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
HOLD_SECONDS = 60.0
TROUBLE_SECONDS = 5.0
_FINISH_SECONDS = 10.0


class Sender(Protocol):
    async def send(self, message: EmailMessage, recipient: str) -> SendOutcome:
        """Hand one message over; never raises for what the network or the server does."""
        ...


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
        sender: Sender,
        lock: AdvisoryLock,
        office: PostOffice,
        clock: Callable[[], datetime],
        trouble_seconds: float = TROUBLE_SECONDS,
    ) -> None:
        self._commands = commands
        self._store = commands.store
        self._bus = bus
        self._keys = keys
        self._sender = sender
        self._lock = lock
        self._office = office
        self._clock = clock
        self._bell = Doorbell()
        self._trouble_seconds = trouble_seconds
        self._held: dict[str, tuple[float, str]] = {}
        self._slots = asyncio.Semaphore(office.concurrency)
        self._next_start = 0.0
        self._closing = False
        self._waiting_for_claims = False
        self.reachable: bool | None = None
        self._store.on_commit(self._bell.ring)

    async def work(self) -> None:
        """For as long as the service runs."""
        self._closing = False
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
            ready = await self._open(list((await letters(self._store.pool, ids)).values()))
        except ClaimsUnavailable:
            if not self._waiting_for_claims:
                log.info("postman.waits", reason="identity does not answer claims")
            self._waiting_for_claims = True
            await asyncio.sleep(self._trouble_seconds)
            return True
        self._waiting_for_claims = False
        await self._send_all(await self._attempt(ready))
        if self.reachable is False:
            # Commits ring our own bell: only sleep keeps one unreachable server from costing every mail a try.
            await asyncio.sleep(self._trouble_seconds)
        return True

    async def _due(self, most: int) -> list[str]:
        now = time.monotonic()
        self._held = {delivery: held for delivery, held in self._held.items() if held[0] > now}
        rows = await self._store.pool.fetch(SQL("due"), self._clock(), list(self._held), most)
        return [row["delivery"] for row in rows]

    async def _until_due(self) -> float:
        retry_at = await self._store.pool.fetchval(SQL("next_retry"), self._clock())
        seconds = (retry_at - self._clock()).total_seconds() if retry_at else POLL_SECONDS
        return min(max(seconds, 0.05), POLL_SECONDS)

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
        if sendable:
            claimed = await claim(self._bus, [s.credential for s in sendable], ClaimReason.send)
            for letter in sendable:
                found = claimed.open(self._keys, letter.school, letter.credential)
                if isinstance(found, Opened) and found.generation == letter.generation:
                    ready.append(_Ready(letter, found.secret))
                elif (command := self._without_secret(letter, found)) is not None:
                    settled.append((letter, command))
        await self._settle(settled)
        return ready

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
        self._held[letter.delivery] = time.monotonic() + HOLD_SECONDS, reason
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
            units.append(Unit(one.letter.school, one.letter.context(ACTOR), workspace.appends()))
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

    async def _send_all(self, batch: Sequence[_Attempted]) -> None:
        if not batch:
            return
        tasks = [asyncio.create_task(self._send_one(one)) for one in batch]
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            self._closing = True
            await _finish(tasks)
            raise
        for task in tasks:
            task.result()

    async def _send_one(self, one: _Attempted) -> None:
        async with self._slots:
            if self._closing:
                return
            await self._keep_pace()
            outcome = await self._deliver(one)
        faults.reach(faults.Point.mail_accepted)
        await self._commands.execute(
            DELIVERY, one.letter.delivery, outcome, school=one.letter.school, context=one.context
        )
        log.info(
            "postman.tried", delivery=one.letter.delivery, attempt=one.attempt, outcome=type(outcome).__name__
        )

    async def _keep_pace(self) -> None:
        start = max(self._next_start, time.monotonic())
        self._next_start = start + 60.0 / self._office.pace
        await asyncio.sleep(start - time.monotonic())

    async def _deliver(self, one: _Attempted) -> Outcome:
        letter, attempt = one.letter, one.attempt
        try:
            message = compose(self._office.mail(letter, one.secret, self._clock()))
        except BadAddress:
            return RecordFailed(attempt, None, DeliveryProblem.address_invalid)
        sent = await self._sender.send(message, letter.address)
        self.reachable = not (isinstance(sent, NotReached) and sent.stage in ("connect", "tls", "login"))
        match sent:
            case Accepted(code=code):
                return RecordAccepted(attempt, code)
            case Refused(code=code, problem=problem):
                return RecordFailed(attempt, code, problem)
            case Deferred(code=code, problem=problem) | NotReached(code=code, problem=problem):
                wait = backoff(attempt, self._office.first_retry)
                if wait is None:
                    return RecordFailed(attempt, code, DeliveryProblem.gave_up)
                return RecordDeferred(attempt, code, problem, self._clock() + wait)


async def _finish(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """What is on its way gets the time to say how it ended, however often we are told to stop; the rest is tried
    at the next start."""
    until = time.monotonic() + _FINISH_SECONDS
    while (left := until - time.monotonic()) > 0 and not all(task.done() for task in tasks):
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, timeout=left)
    for task in tasks:
        task.cancel()
