"""Who is signed in shows once more that it is them, with their PIN or their password, before what has consequences.

PINs are counted before they are looked at: ten wrong ones in all, however many come at once, and the PIN is disabled
(E2, DESIGN 7). A password is looked at, counted and waited for as at the door.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.identity.addresses import Address
from services.identity.domain.pin import MOST_FAILURES, PIN, DisablePin, PinCommand, Standing
from services.identity.passwords import Hasher, Place, Verifier
from services.identity.pin_rules import canonical_pin
from services.identity.signing_in import SigningIn
from shared.contracts.event import Context
from shared.contracts.identity import ConfirmedBy
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import ConcurrencyConflict, Unit, Write
from shared.ids import new_id
from shared.sql import Statements
from shared.web.sessions import Principal

SQL = Statements(__file__)
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, as the door sees it."""

    address: Address | None = None
    device_cookie: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """`text`: of the verifier that was compared with; it must still stand when what follows is committed."""

    by: ConfirmedBy
    text: str = field(repr=False)
    settled: tuple[Write, ...] = field(repr=False)
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class NotShown:
    """`left`: tries that a PIN has left, None of a password; `wait`: seconds; `disabled`: the PIN is."""

    left: int | None = None
    wait: int = 0
    disabled: bool = False


class Showing:
    def __init__(self, commands: Commands, hasher: Hasher, signing_in: SigningIn) -> None:
        self._commands = commands
        self._store = commands.store
        self._pool = commands.store.pool
        self._hasher = hasher
        self._signing_in = signing_in

    async def standing(self, account: str) -> Standing:
        return Standing(await self._pool.fetchval(SQL("pin_standing"), account) or Standing.none)

    @asynccontextmanager
    async def by_pin(self, who: Principal, typed: str) -> AsyncIterator[Shown | NotShown]:
        """Raises `HasherBusy` before anything is counted."""
        with self._hasher.place(known=True) as place:
            now = self._store.clock()
            row = await self._pool.fetchrow(SQL("count_pin_attempt"), who.account_id, now, MOST_FAILURES)
            if row is None:
                yield NotShown(disabled=await self.standing(who.account_id) is not Standing.none)
                return
            verifier, pin = Verifier(row["pin"], row["pin_pepper"]), canonical_pin(typed)
            if await place.verify(pin, verifier):
                text, settled = verifier.text, []
                if self._hasher.outdated(verifier):
                    made = await place.hash(pin)
                    again = (who.account_id, made.text, made.pepper, verifier.text)
                    settled.append(Write(SQL("rehash_pin"), (again,)))
                    text = made.text
                settled.append(Write(SQL("forget_pin_failures"), ((who.account_id, text),)))
                yield Shown(ConfirmedBy.pin, verifier.text, tuple(settled), place)
                return
        left = MOST_FAILURES - row["pin_failures"]
        if left <= 0:
            await self.disable(who.account_id, who.school, actor=who.account_id)
        yield NotShown(left=max(left, 0), disabled=left <= 0)

    @asynccontextmanager
    async def by_password(
        self, who: Principal, password: str, client: Client
    ) -> AsyncIterator[Shown | NotShown]:
        """Raises `HasherBusy` before anything is counted."""
        code = await self._signing_in.user_code_of(who.account_id) or ""
        look = self._signing_in.proving.proved(
            code, password, address=client.address, device_cookie=client.device_cookie
        )
        async with look as proved:
            if proved is not None and proved.account == who.account_id:
                forget = Write(SQL("forget_failures"), ((proved.subject, proved.bucket),))
                yield Shown(ConfirmedBy.password, proved.verifier.text, (forget,), proved.place)
                return
        yield NotShown(wait=await self._signing_in.seconds_to_wait(code, client.device_cookie))

    async def commit(
        self, who: Principal, shown: Shown, command: PinCommand, writes: Sequence[Write]
    ) -> bool:
        """False when what was shown was changed by another meanwhile. Raises `Refused` from the domain."""
        return await self._decide(
            who.account_id, who.school, who.account_id, command, (*shown.settled, *writes), shown
        )

    async def disable(self, account: str, school: str, *, actor: str) -> None:
        """End a PIN whose tries are spent; one that was chosen anew meanwhile stays."""
        writes = (Write(SQL("end_pin"), ((account,),)),)
        await self._decide(account, school, actor, DisablePin(MOST_FAILURES), writes, None)

    async def _decide(
        self,
        account: str,
        school: str,
        actor: str,
        command: PinCommand,
        writes: Sequence[Write],
        shown: Shown | None,
    ) -> bool:
        context = Context(actor=actor, correlation=new_id())
        for _ in range(_TRIES):
            workspace = Workspace(self._store)
            await workspace.load(PIN, {account})
            if not await self._stands(account, shown):
                return False
            workspace.decide(PIN, account, command)
            appends = workspace.appends()
            if not appends:
                return False
            try:
                await self._commands.submit(Unit(school, context, appends, tuple(writes)))
            except ConcurrencyConflict as lost:
                conflict = lost
                continue
            return True
        raise conflict

    async def _stands(self, account: str, shown: Shown | None) -> bool:
        """Asked after the history was loaded: whatever changes a verifier is an event of it, so that the commit is in
        conflict with what comes later."""
        if shown is None:
            return bool(await self._pool.fetchval(SQL("pin_spent"), account, MOST_FAILURES))
        row = await self._pool.fetchrow(SQL("verifier_texts"), account)
        if row is None:
            return False
        return bool(row["pin" if shown.by is ConfirmedBy.pin else "password"] == shown.text)
