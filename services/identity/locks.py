"""Accounts that were guessed at too often: history hears of it from here, never from a request (M10, DESIGN 7).

Whether an unknown device is looked at hangs on the count of its failures alone. `AccountLocked` says so to the desk, and
`AccountUnlocked` that it is over: the failures were forgotten, with time or because the password was set anew.
"""

from collections.abc import Sequence

import asyncpg

from services.identity.domain.account import ACCOUNT, Command
from services.identity.domain.commands_life import Lock, Unlock
from services.identity.proving import UNKNOWN_DEVICES_UP_TO
from shared.contracts.event import Context
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Unit
from shared.ids import new_id
from shared.sql import Statements

SQL = Statements(__file__)


class Locks:
    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def settle(self) -> int:
        """How many accounts were locked or unlocked."""
        pool = self._store.pool
        locked = await pool.fetch(SQL("lockable"), UNKNOWN_DEVICES_UP_TO)
        over = await pool.fetch(SQL("unlockable"), UNKNOWN_DEVICES_UP_TO)
        told: list[tuple[asyncpg.Record, Command]] = [(row, Lock(row["failures"])) for row in locked]
        told += [(row, Unlock()) for row in over]
        return await self._tell(told)

    async def _tell(self, told: Sequence[tuple[asyncpg.Record, Command]]) -> int:
        workspace = Workspace(self._store)
        await workspace.load(ACCOUNT, {row["account"] for row, _ in told})
        units = []
        for row, command in told:
            if workspace.decide(ACCOUNT, row["account"], command):
                context = Context(actor="service:identity", correlation=new_id())
                units.append(Unit(row["school"], context, workspace.appends()))
        if units:
            await self._store.commit(units)
        return len(units)
