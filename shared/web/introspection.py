"""Sessions asked of identity over the bus: an unknown token once, then the answer is kept (DESIGN 7).

A request on `identity.sessions.introspect` is `{"token_hash": "<64 hex digits>"}`; the answer is the principal,
`{"unknown": true}`, or `{"error": …}`. Revocation reaches everyone within 5 seconds: `identity.bell` rings after each
of identity's commits, and an answer older than the bell is asked for anew before it is used (events, where a service
reads them, make it forget at once). With identity or the bus down, a kept answer holds to the session's end.
Tokens of nobody are remembered apart and briefly, and how many are asked about at once is bounded: whoever makes
tokens up pushes no session out.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Self, TypeVar

import nats.errors
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts.event import Event, Recorded
from shared.contracts.identity import PasswordChanged, SessionsRevoked, StaffRolesChanged
from shared.messaging.bus import Bus, BusUnavailable
from shared.web.sessions import Principal, Role, SessionsUnavailable

V = TypeVar("V")
log = structlog.get_logger()
HEEDED = (SessionsRevoked, PasswordChanged, StaffRolesChanged)
"""The events of identity that end sessions, or change what they may do."""
INTROSPECT_SUBJECT = "identity.sessions.introspect"
REFRESH_SECONDS = 60.0
BELL_SECONDS = 2.0
"""How fresh an answer must be, once identity has committed something since."""
UNKNOWN_SECONDS = 15.0
ASK_TIMEOUT = 2.0
_PAUSE_AFTER_FAILURE = 3.0
_MOST = 50_000
MOST_UNKNOWN = 2_000
"""Tokens of nobody that are remembered: made-up ones push no session out."""
MOST_ASKED = 64
"""Requests under way at once, for tokens not known here and for known ones apart: guesses delay no session in use."""
MOST_WAITING = 1_000
"""How many may wait for their request; for further ones it is `SessionsUnavailable`."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    def encoded(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


class Question(_Message):
    token_hash: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)

    @classmethod
    def read(cls, data: bytes) -> "Question | None":
        """None when it is not one."""
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            return None

    @property
    def hash(self) -> bytes:
        return bytes.fromhex(self.token_hash)


class PrincipalAnswer(_Message):
    account_id: str
    person_id: str
    school: str
    roles: frozenset[Role]
    must_change: bool
    session_expires: datetime
    language: str
    session_id: str = Field(repr=False)
    strong: bool = False
    password_only_until: date | None = None


class Answer(_Message):
    principal: PrincipalAnswer | None = None
    unknown: bool | None = None
    error: str | None = None

    @classmethod
    def of(cls, principal: Principal | None) -> Self:
        if principal is None:
            return cls(unknown=True)
        return cls(
            principal=PrincipalAnswer(
                account_id=principal.account_id,
                person_id=principal.person_id,
                school=principal.school,
                roles=principal.roles,
                must_change=principal.must_change,
                session_expires=principal.session_expires,
                language=principal.language,
                session_id=principal.session_id,
                strong=principal.strong,
                password_only_until=principal.password_only_until,
            )
        )

    def read(self) -> Principal | None:
        """Raises `SessionsUnavailable` when identity could not say."""
        if self.principal is not None:
            return Principal(**dict(self.principal))
        if self.unknown:
            return None
        raise SessionsUnavailable


@dataclass(slots=True)
class _Kept:
    principal: Principal
    asked: float


@dataclass(slots=True)
class _Turns:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_ASKED))
    waiting: int = 0


class BusIntrospector:
    """`shared.web.sessions.Introspector` for the services that are not identity."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._strangers, self._known = _Turns(), _Turns()
        self._rang = 0.0
        self._failed = float("-inf")

    async def start(self) -> None:
        """Listen for identity's bell."""
        await self._bus.subscribe("identity.bell", self._ring)

    async def introspect(self, token_hash: bytes) -> Principal | None:
        """Raises `SessionsUnavailable` for a token not known here while identity cannot be asked."""
        kept = self._kept.get(token_hash)
        if kept is not None and _over(kept.principal):
            del self._kept[token_hash]
            kept = None
        if kept is None:
            return None if self._known_to_be_nobodys(token_hash) else await self._ask_once(token_hash)
        age = time.monotonic() - kept.asked
        stale = self._rang > kept.asked and age > BELL_SECONDS
        if stale and not self._pausing():
            return await self._ask_again(token_hash, kept.principal)
        if age > REFRESH_SECONDS and not self._pausing():
            self._asked(token_hash)
        return kept.principal

    def forget(self, account_id: str) -> None:
        """Drop what is kept of this account: its sessions were revoked, or changed."""
        held = [h for h, kept in self._kept.items() if kept.principal.account_id == account_id]
        for token_hash in held:
            del self._kept[token_hash]

    def heed(self, events: Iterable[Recorded[Event]]) -> None:
        """Forget what these events of identity put an end to."""
        for recorded in events:
            if isinstance(recorded.event, HEEDED):
                self.forget(recorded.event.account)

    async def _ring(self, _: object) -> None:
        self._rang = time.monotonic()

    def _pausing(self) -> bool:
        return time.monotonic() - self._failed < _PAUSE_AFTER_FAILURE

    async def _ask_again(self, token_hash: bytes, known: Principal) -> Principal | None:
        try:
            return await self._ask_once(token_hash)
        except SessionsUnavailable:
            return known

    async def _ask_once(self, token_hash: bytes) -> Principal | None:
        """However many pages of a browser ask at the same time."""
        return await asyncio.shield(self._asked(token_hash))

    def _asked(self, token_hash: bytes) -> "asyncio.Task[Principal | None]":
        task = self._asking.get(token_hash)
        if task is None:
            task = self._asking[token_hash] = asyncio.create_task(self._ask(token_hash))
            task.add_done_callback(lambda done: self._answered(token_hash, done))
        return task

    def _answered(self, token_hash: bytes, done: "asyncio.Task[Principal | None]") -> None:
        self._asking.pop(token_hash, None)
        if not done.cancelled():
            done.exception()

    async def _ask(self, token_hash: bytes) -> Principal | None:
        async with self._turn(self._known if token_hash in self._kept else self._strangers):
            return await self._request(token_hash)

    @asynccontextmanager
    async def _turn(self, turns: "_Turns") -> AsyncIterator[None]:
        """Not longer waited for than for an answer."""
        if turns.waiting >= MOST_WAITING:
            raise SessionsUnavailable
        turns.waiting += 1
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                await turns.free.acquire()
        except TimeoutError:
            raise SessionsUnavailable from None
        finally:
            turns.waiting -= 1
        try:
            yield
        finally:
            turns.free.release()

    async def _request(self, token_hash: bytes) -> Principal | None:
        asked = time.monotonic()
        question = Question(token_hash=token_hash.hex()).encoded()
        try:
            reply = await self._bus.client.request(INTROSPECT_SUBJECT, question, timeout=ASK_TIMEOUT)
            principal = Answer.model_validate_json(reply.data).read()
        except (
            BusUnavailable,
            nats.errors.Error,
            OSError,
            TimeoutError,
            ValidationError,
            SessionsUnavailable,
        ) as trouble:
            self._failed = time.monotonic()
            log.info("sessions.unavailable", error=type(trouble).__name__)
            raise SessionsUnavailable from None
        if principal is None:
            self._kept.pop(token_hash, None)
            _put(self._unknown, token_hash, asked, MOST_UNKNOWN)
        else:
            self._unknown.pop(token_hash, None)
            _put(self._kept, token_hash, _Kept(principal, asked), _MOST)
        return principal

    def _known_to_be_nobodys(self, token_hash: bytes) -> bool:
        asked = self._unknown.get(token_hash)
        return asked is not None and time.monotonic() - asked < UNKNOWN_SECONDS


def _put(cache: OrderedDict[bytes, V], key: bytes, value: V, most: int) -> None:
    """The oldest go when there are too many."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)


def _over(principal: Principal) -> bool:
    return principal.session_expires <= datetime.now(UTC)
