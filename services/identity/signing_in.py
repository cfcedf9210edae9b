"""Signing in and changing a password. Unknown, locked and wrong look and cost the same (M10, DESIGN 7)."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from services.identity.addresses import Address
from services.identity.devices import Devices
from services.identity.domain.account import ACCOUNT, Account
from services.identity.domain.commands import (
    ChangePassword,
    Command,
    CompleteFirstAccess,
    RecordSignIn,
    RevokeSessions,
)
from services.identity.door import Door
from services.identity.initial_secrets import canonical_password
from services.identity.password_rules import SAME, objection
from services.identity.passwords import Hasher, Peppers, normalised
from services.identity.proving import Proved, Proving, hashed_form
from services.identity.sessions import How, Opened, opened
from shared.contracts.event import Context
from shared.contracts.identity import AccountRole
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import ConcurrencyConflict, Unit, Write
from shared.ids import new_id
from shared.sql import Statements
from shared.web.sessions import Principal

SQL = Statements(__file__)
_TRIES = 10


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`advised`: the school recommends that the initial password be changed soon. `device` goes into a cookie."""

    account: str
    school: str
    role: AccountRole
    session: Opened
    advised: bool
    device: str


@dataclass(frozen=True, slots=True)
class Objection:
    """The new password is not accepted; `reason` is an Italian message id that says why."""

    reason: str


class SigningIn:
    def __init__(
        self,
        commands: Commands,
        hasher: Hasher,
        peppers: Peppers,
        devices: Devices,
        door: Door,
    ) -> None:
        self._commands = commands
        self._store = commands.store
        self._pool = commands.store.pool
        self._hasher = hasher
        self._devices = devices
        self._proving = Proving(commands.store, hasher, peppers, devices, door)

    async def sign_in(
        self,
        user_code: str,
        password: str,
        *,
        remember: bool = False,
        instead_of: bytes | None = None,
        address: Address | None = None,
        device_cookie: str | None = None,
        on: str = "",
    ) -> SignedIn | None:
        """None: unknown, wrong, or to be waited for; which of them is told to nobody. Raises `HasherBusy`.

        `instead_of`: the hash of the token that the request brought: that session ends, whosever it was.
        """
        look = self._proving.proved(user_code, password, address=address, device_cookie=device_cookie)
        async with look as proved:
            if proved is None:
                return None
            rehashed = (
                await self._rehashed(proved, password) if self._hasher.outdated(proved.verifier) else ()
            )
        must_change = proved.must_change or proved.life_over
        now = self._store.clock()
        session = opened(
            proved.account,
            proved.school,
            proved.role,
            remember=remember,
            must_change=must_change,
            now=now,
            on=on,
        )
        device = self._devices.read(device_cookie) or self._devices.new()
        writes = [
            session.write,
            Write(SQL("put_device"), ((proved.account, device, now),), beside=True),
            Write(SQL("forget_failures"), ((proved.subject, proved.bucket),), beside=True),
            *rehashed,
        ]
        if proved.initial:
            writes += _used_up(proved.account)
        commands: list[Command] = [RecordSignIn()]
        if proved.initial:
            commands.append(CompleteFirstAccess())
        before = await self._pool.fetchrow(SQL("session_of_token"), instead_of) if instead_of else None
        # Of an account that is only signed in to, all that matters was seen with its verifier.
        seen = None if proved.initial or before else Account(proved.account, role=proved.role)
        if not await self._commit(proved, commands, writes, before, seen):
            return None
        advised = proved.initial and not must_change
        return SignedIn(
            proved.account, proved.school, proved.role, session, advised, self._devices.cookie(device)
        )

    async def change_password(
        self,
        user_code: str,
        old: str,
        new: str,
        *,
        principal: Principal | None = None,
        remembered: bool = False,
        address: Address | None = None,
        device_cookie: str | None = None,
        on: str = "",
    ) -> Opened | Objection | None:
        """Ends every session; a signed-in holder gets a new one (whoever is not signs in with what they chose).

        None: unknown, wrong, or to be waited for. Raises `HasherBusy`.
        """
        if (reason := objection(new, (user_code,))) is not None:
            return Objection(reason)
        look = self._proving.proved(user_code, old, address=address, device_cookie=device_cookie)
        async with look as proved:
            if proved is None or (principal is not None and principal.account_id != proved.account):
                return None
            forget = Write(SQL("forget_failures"), ((proved.subject, proved.bucket),))
            reason = await self._personal_objection(proved, old, new)
            if reason is not None:
                await self._pool.execute(forget.statement, *forget.rows[0])
                return Objection(reason)
            verifier = await proved.place.hash(normalised(new))
        now = self._store.clock()
        session = opened(
            proved.account,
            proved.school,
            proved.role,
            remember=remembered,
            must_change=False,
            now=now,
            how=await self._opened_with(principal),
            on=on,
        )
        row = (proved.account, proved.school, verifier.text, verifier.pepper, False)
        writes = [
            forget,
            Write(SQL("put_chosen_verifier"), (row,)),
            Write(SQL("shred_slips_of_account"), ((proved.account,),)),
            Write(SQL("end_sessions"), ((proved.account,),)),
        ]
        if principal is not None:
            writes.append(session.write)
        commands: list[Command] = [CompleteFirstAccess()] if proved.initial else []
        if not await self._commit(proved, [*commands, ChangePassword()], writes):
            return None
        return session

    @property
    def proving(self) -> Proving:
        return self._proving

    async def seconds_to_wait(self, user_code: str, device_cookie: str | None) -> int:
        """After an answer of None: how long before another attempt is looked at; 0 when one may try at once."""
        return await self._proving.seconds_to_wait(user_code, device_cookie=device_cookie)

    async def user_code_of(self, account: str) -> str | None:
        code: str | None = await self._pool.fetchval(SQL("account_lookup"), account)
        return code

    async def _commit(
        self,
        proved: Proved,
        commands: Sequence[Command],
        writes: Sequence[Write],
        before: asyncpg.Record | None = None,
        seen: Account | None = None,
    ) -> bool:
        """False when the password was changed by another meanwhile: then this one is the old one. With the session
        `before` it, which ends in the same commit. `seen`: the account at `proved.version`, if that is enough to
        decide; it is loaded when it has moved since."""
        context = Context(actor=proved.account, correlation=new_id())
        for _ in range(_TRIES):
            workspace = Workspace(self._store)
            if seen is not None:
                workspace.hold(ACCOUNT, proved.account, proved.version, seen)
                seen = None
            else:
                ids = {proved.account, before["account"] if before else proved.account}
                await workspace.load(ACCOUNT, ids)
            if workspace.version(ACCOUNT, proved.account) != proved.version and not await self._stands(
                proved
            ):
                return False
            ended = _ended(workspace, context, before)
            for command in commands:
                workspace.decide(ACCOUNT, proved.account, command)
            unit = Unit(proved.school, context, workspace.appends(), tuple(writes))
            try:
                if ended is None:
                    await self._commands.submit(unit)
                else:
                    await self._store.commit([ended, unit], atomic=True)
            except ConcurrencyConflict as lost:
                conflict = lost
                continue
            return True
        raise conflict

    async def _opened_with(self, principal: Principal | None) -> How:
        """Who came in with a passkey stays so when they change the password."""
        if principal is None:
            return "password"
        return (
            await self._pool.fetchval(SQL("session_opened_with"), principal.session_id, principal.account_id)
            or "password"
        )

    async def _stands(self, proved: Proved) -> bool:
        """Whether the password that was proved is still the one: asked after the account was loaded."""
        verifier: str | None = await self._pool.fetchval(SQL("verifier_text"), proved.account)
        return verifier == proved.verifier.text

    async def _rehashed(self, proved: Proved, password: str) -> tuple[Write, ...]:
        made = await proved.place.hash(hashed_form(password, "initial" if proved.initial else "chosen"))
        row = (proved.account, made.text, made.pepper, proved.verifier.text)
        return (Write(SQL("rehash_verifier"), (row,)),)

    async def _personal_objection(self, proved: Proved, old: str, new: str) -> str | None:
        if normalised(new) == normalised(old):
            return SAME
        if proved.initial and canonical_password(new) == canonical_password(old):
            return SAME
        row = await self._pool.fetchrow(SQL("person_words"), proved.account)
        return objection(new, [value for value in row.values() if value]) if row else None


def _ended(workspace: Workspace, context: Context, session: asyncpg.Record | None) -> Unit | None:
    """A unit of its own: the session may have been of an account of another school."""
    if session is None:
        return None
    workspace.decide(ACCOUNT, session["account"], RevokeSessions("signed_in_again", session["session"]))
    delete = Write(SQL("end_session"), ((session["session"],),))
    return Unit(session["school"], context, workspace.appends(), (delete,))


def _used_up(account: str) -> list[Write]:
    """At first access the sealed copy has done its work."""
    return [
        Write(SQL("mark_accessed"), ((account,),)),
        Write(SQL("shred_slips_of_account"), ((account,),)),
    ]
