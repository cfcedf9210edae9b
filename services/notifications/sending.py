"""Sending a batch of messages: at the set pace, so many at once, each to its outcome (DESIGN 4, S4).

What is the same for credentials and for notices: who composes and who writes down differ, what becomes of a message on
its way to the mail server does not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from typing import Protocol, TypeVar

from services.notifications.channels.email.address import BadAddress
from services.notifications.channels.email.backoff import backoff
from services.notifications.channels.email.outcome import (
    Accepted,
    Deferred,
    NotReached,
    Refused,
    SendOutcome,
)
from services.notifications.channels.email.pace import Pace
from services.notifications.domain.delivery_commands import (
    Outcome,
    RecordAccepted,
    RecordDeferred,
    RecordFailed,
)
from services.notifications.post_office import PostOffice
from shared.contracts.notifications import DeliveryProblem

T = TypeVar("T")
FINISH_SECONDS = 10.0


class Sender(Protocol):
    async def send(self, message: EmailMessage, recipient: str) -> SendOutcome:
        """Hand one message over; never raises for what the network or the server does."""
        ...


class Sending:
    """`reachable`: whether the mail server answered last; None before the first message."""

    def __init__(self, sender: Sender, office: PostOffice, pace: Pace, clock: Callable[[], datetime]) -> None:
        self._sender = sender
        self._office = office
        self._pace = pace
        self._clock = clock
        self._slots = asyncio.Semaphore(office.concurrency)
        self._closing = False
        self.reachable: bool | None = None

    def reopen(self) -> None:
        self._closing = False

    async def each(self, batch: Sequence[T], one: Callable[[T], Awaitable[None]]) -> None:
        """`one` of each, so many at once as the office says; told to stop, it lets end what is on its way and leaves
        the rest for the next start."""
        if not batch:
            return
        tasks = [asyncio.create_task(self._within(one, item)) for item in batch]
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            self._closing = True
            await _finish(tasks)
            raise
        for task in tasks:
            task.result()

    async def _within(self, one: Callable[[T], Awaitable[None]], item: T) -> None:
        async with self._slots:
            if self._closing:
                return
            await self._pace.turn()
            await one(item)

    async def outcome(
        self, compose: Callable[[], EmailMessage], address: str, attempt: int, after: int = 0
    ) -> Outcome:
        """Hands the message over; what is to be written down of this attempt (from 1). `after`: so many attempts were
        made before it was sent anew, and make nobody wait longer."""
        try:
            message = compose()
        except BadAddress:
            return RecordFailed(attempt, None, DeliveryProblem.address_invalid)
        sent = await self._sender.send(message, address)
        self.reachable = not (isinstance(sent, NotReached) and sent.stage in ("connect", "tls", "login"))
        match sent:
            case Accepted(code=code):
                return RecordAccepted(attempt, code)
            case Refused(code=code, problem=problem):
                return RecordFailed(attempt, code, problem)
            case Deferred(code=code, problem=problem) | NotReached(code=code, problem=problem):
                wait = backoff(attempt - after, self._office.first_retry)
                if wait is None:
                    return RecordFailed(attempt, code, DeliveryProblem.gave_up)
                return RecordDeferred(attempt, code, problem, self._clock() + wait)


async def _finish(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """What is on its way gets the time to say how it ended, however often we are told to stop."""
    until = time.monotonic() + FINISH_SECONDS
    while (left := until - time.monotonic()) > 0 and not all(task.done() for task in tasks):
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, timeout=left)
    for task in tasks:
        task.cancel()
