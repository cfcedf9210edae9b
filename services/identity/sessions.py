"""Sessions: opaque tokens, stored hashed; short for staff and on a strange phone, long where it was asked (DESIGN 7)."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

import asyncpg
import structlog
from nats.aio.msg import Msg

from services.identity.domain.account import ACCOUNT
from services.identity.domain.commands import RevokeSessions
from shared.contracts.event import Context
from shared.contracts.identity import AccountRole
from shared.database import DATABASE_TROUBLES
from shared.eventstore.commands import Commands
from shared.eventstore.units import Write
from shared.ids import new_id
from shared.messaging.bus import Bus, BusUnavailable
from shared.messaging.streams import Doorbell
from shared.policies import local_day
from shared.sql import Statements
from shared.web.introspection import INTROSPECT_SUBJECT, Answer, Question
from shared.web.sessions import ROLES, Principal, Role, SessionToken, hash_token, new_token

SQL = Statements(__file__)
QUEUE = "q"
IDLE = timedelta(minutes=30)
AT_MOST = timedelta(hours=12)
REMEMBERED = timedelta(days=30)
How = Literal["password", "passkey"]
"""What a session was opened with."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session. `max_age` is the cookie's, in seconds; None ends with the browser."""

    token: SessionToken = field(repr=False)
    session: str
    must_change: bool
    max_age: int | None
    write: Write = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """A session as its holder sees it. `device`: a word of `device_words.WORDS`."""

    session: str
    device: str
    opened_with: How
    remembered: bool
    opened_at: datetime
    seen_at: datetime


def opened(
    account: str,
    school: str,
    role: AccountRole,
    *,
    remember: bool,
    must_change: bool,
    now: datetime,
    how: How = "password",
    on: str = "",
) -> Opened:
    """A session to be written with the events that go with it. Nobody remembers a staff member's phone. `on`: what
    kind of device it is on, as its holder will find it in the list of theirs."""
    remember = remember and role is not AccountRole.staff
    token, session = new_token(), new_id()
    life, idle = (REMEMBERED, None) if remember else (AT_MOST, int(IDLE.total_seconds()))
    row = (hash_token(token), session, account, school, must_change, remember, now, idle, now + life)
    max_age = int(REMEMBERED.total_seconds()) if remember else None
    write = Write(SQL("put_session"), ((*row, how, on),), beside=True)
    return Opened(token, session, must_change, max_age, write)


class Sessions:
    """Identity's own introspector, and the one who answers the others' questions."""

    def __init__(self, commands: Commands) -> None:
        self._pool = commands.store.pool
        self._commands = commands
        self._doorbell = Doorbell()
        self._changed = False
        commands.store.on_commit(self._committed)

    async def introspect(self, token_hash: bytes) -> Principal | None:
        now = self._commands.store.clock()
        row = await self._pool.fetchrow(SQL("introspect"), token_hash, now)
        if row is None:
            return None
        by_passkey = row["opened_with"] == "passkey"
        until = None if by_passkey else _still_ahead(row["password_only_until"], now)
        idle = row["idle_seconds"]
        ends = row["ends_at"] if idle is None else min(row["ends_at"], now + timedelta(seconds=idle))
        return Principal(
            account_id=row["account"],
            person_id=row["holder"],
            school=row["school"],
            roles=_roles(row["roles"]),
            must_change=row["must_change"],
            session_expires=ends,
            language=row["language"] or "it",
            session_id=row["session"],
            strong=by_passkey or until is not None,
            password_only_until=until,
        )

    async def end(self, principal: Principal) -> None:
        """Sign out: this session, everywhere."""
        await self._commands.execute(
            ACCOUNT,
            principal.account_id,
            RevokeSessions("signed_out", principal.session_id),
            school=principal.school,
            context=Context(actor=principal.account_id, correlation=new_id()),
            writes=[Write(SQL("end_session"), ((principal.session_id,),))],
        )

    async def of(self, account: str) -> list[Standing]:
        """Those that hold, the last used first (M10)."""
        rows = await self._pool.fetch(SQL("sessions_of_account"), account, self._commands.store.clock())
        return [Standing(**dict(row)) for row in rows]

    async def end_one(self, principal: Principal, session: str) -> bool:
        """One of their own; False when they have none of this name."""
        if session not in {each.session for each in await self.of(principal.account_id)}:
            return False
        await self._commands.execute(
            ACCOUNT,
            principal.account_id,
            RevokeSessions("ended_by_holder", session),
            school=principal.school,
            context=Context(actor=principal.account_id, correlation=new_id()),
            writes=[Write(SQL("end_session"), ((session,),))],
        )
        return True

    async def end_all(self, account: str, school: str, *, actor: str, staff: bool = True) -> bool:
        """Sign out everywhere: by the holder, or by the desk. False when the school has no such account, or it is of
        its staff and `staff` is not."""
        row = await self._pool.fetchrow(SQL("account_of_school"), account, school)
        if row is None or (row["role"] == AccountRole.staff and not staff):
            return False
        because = "signed_out_everywhere" if actor == account else "ended_by_desk"
        await self._commands.execute(
            ACCOUNT,
            account,
            RevokeSessions(because),
            school=school,
            context=Context(actor=actor, correlation=new_id()),
            writes=[Write(SQL("end_sessions"), ((account,),))],
        )
        return True

    def changing(self) -> None:
        """What is about to be committed changes answers without an event of ours: a school's policy."""
        self._changed = True

    def _committed(self, _: object) -> None:
        if self._changed:
            self._changed = False
            self._doorbell.ring()

    async def tell_changes(self, bus: Bus) -> None:
        """For `runtime.background`: have kept answers asked for anew (`BusIntrospector`), as our relay does after events."""
        while True:
            await self._doorbell.wait(3600)
            with suppress(BusUnavailable):
                await bus.client.publish("identity.bell", b"")

    async def serve(self, bus: Bus) -> None:
        """Answer on `identity.sessions.introspect`, beside the other replicas."""
        await bus.subscribe(INTROSPECT_SUBJECT, self.answer, queue=QUEUE)

    async def answer(self, message: Msg) -> None:
        """One request of whatever shape: never raises."""
        if not message.reply:
            return
        question = Question.read(message.data)
        if question is None:
            await message.respond(Answer(error="malformed request").encoded())
            return
        try:
            principal = await self.introspect(question.hash)
        except (asyncpg.PostgresError, *DATABASE_TROUBLES, OSError, TimeoutError) as trouble:
            log.warning("sessions.introspection_failed", error=type(trouble).__name__)
            await message.respond(Answer(error="not available at this moment").encoded())
            return
        await message.respond(Answer.of(principal).encoded())


def _still_ahead(until: str | None, now: datetime) -> date | None:
    """The day from which the password alone is not enough any more, if it has not come yet in Rome."""
    day = date.fromisoformat(until) if until is not None else None
    return day if day is not None and local_day(now) < day else None


def _roles(text: str) -> frozenset[Role]:
    named = set(text.split(","))
    return frozenset(role for role in ROLES if role in named)
