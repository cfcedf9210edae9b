"""A holder's own PIN: chosen at first access, changed, chosen anew when it was disabled (E2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.identity.domain.pin import MOST_FAILURES, ChangePin, Standing
from services.identity.passwords import Hasher
from services.identity.pin_rules import SAME_PIN, canonical_pin, is_pin, pin_objection
from services.identity.showing import Client, NotShown, Showing, Shown
from shared.contracts.identity import ConfirmedBy
from shared.eventstore.store import EventStore
from shared.eventstore.units import Write
from shared.sql import Statements
from shared.web.sessions import Principal

SQL = Statements(__file__)
FRESH = timedelta(minutes=15)
"""How long after they signed in a holder may choose their first PIN without showing the password once more."""
_GRACE = timedelta(minutes=1)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PinRefused:
    """The new PIN is not accepted; `reason` is an Italian message id that says why."""

    reason: str


class Pins:
    def __init__(self, store: EventStore, hasher: Hasher, showing: Showing) -> None:
        self._store = store
        self._pool = store.pool
        self._hasher = hasher
        self._showing = showing

    async def fresh(self, who: Principal, standing: Standing) -> bool:
        """Whether this holder may choose their first PIN without showing more: they signed in a moment ago."""
        if standing is not Standing.none:
            return False
        opened = await self._pool.fetchval(SQL("session_opened_at"), who.session_id, who.account_id)
        return opened is not None and self._store.clock() - opened < FRESH

    async def change(
        self, who: Principal, proof: str, new: str, client: Client
    ) -> PinRefused | NotShown | None:
        """None: it is changed. `proof`: the present PIN or the password; a disabled PIN asks the password. Raises
        `HasherBusy`, and `Refused` where the account is closed."""
        rows = await self._pool.fetch(SQL("family_births"), who.account_id)
        if (reason := pin_objection(new, [row["birth_date"] for row in rows])) is not None:
            return PinRefused(reason)
        pin = canonical_pin(new)
        async with self._shown(who, proof, client) as shown:
            if isinstance(shown, NotShown):
                return shown
            if shown.by is ConfirmedBy.pin and canonical_pin(proof) == pin:
                return PinRefused(SAME_PIN)
            made = await shown.place.hash(pin)
            write = Write(SQL("put_pin"), ((who.account_id, made.text, made.pepper),))
            done = await self._showing.commit(who, shown, ChangePin(), (write,))
        return None if done else NotShown()

    @asynccontextmanager
    async def _shown(self, who: Principal, proof: str, client: Client) -> AsyncIterator[Shown | NotShown]:
        standing = await self._showing.standing(who.account_id)
        if not proof and await self.fresh(who, standing):
            with self._hasher.place(known=True) as place:
                row = await self._pool.fetchrow(SQL("verifier_texts"), who.account_id)
                text = row["password"] if row is not None else ""
                yield Shown(ConfirmedBy.password, text, (), place)
        elif is_pin(proof) and standing is Standing.active:
            async with self._showing.by_pin(who, proof) as shown:
                yield shown
        else:
            async with self._showing.by_password(who, proof, client) as shown:
                yield shown

    async def disable_spent(self) -> int:
        """Of whom the tenth failure was counted and the process ended before it was said."""
        rows = await self._pool.fetch(SQL("spent_pins"), MOST_FAILURES, self._store.clock() - _GRACE)
        for row in rows:
            await self._showing.disable(row["account"], row["school"], actor="service:identity")
        return len(rows)
