"""What falls due with time: slips at the end of their life, failures to tell of, rows that nobody needs."""

import asyncio
from datetime import timedelta

from services.identity.domain.account import ACCOUNT
from services.identity.domain.commands import CountFailures
from services.identity.locks import Locks
from services.identity.own import OwnAccess
from services.identity.slips import Slips
from shared.contracts.event import Context
from shared.database import AdvisoryLock
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Unit, Write
from shared.ids import new_id
from shared.sql import Statements

SQL = Statements(__file__)
EVERY_SECONDS = 60.0
FAILURES_KEPT = timedelta(days=30)
UNKNOWN_FAILURES_KEPT = timedelta(days=1)
DEVICES_KEPT = timedelta(days=400)


class Housekeeping:
    def __init__(self, store: EventStore, slips: Slips, lock: AdvisoryLock, own: OwnAccess) -> None:
        self._store = store
        self._slips = slips
        self._lock = lock
        self._own = own
        self._locks = Locks(store)

    async def run(self) -> None:
        """For `runtime.background`; one active in an installation."""
        await self._lock.acquire()
        while self._lock.held():
            await self.once()
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> None:
        await self._slips.expire()
        await self.tell_failures()
        await self._locks.settle()
        await self._own.pins.disable_spent()
        await self._own.confirmations.sweep()
        now, pool = self._store.clock(), self._store.pool
        await pool.execute(SQL("strike_off_leavers"))
        await pool.execute(SQL("sweep_sessions"), now)
        await pool.execute(SQL("sweep_failures"), now - FAILURES_KEPT, now - UNKNOWN_FAILURES_KEPT)
        await pool.execute(SQL("sweep_devices"), now - DEVICES_KEPT)
        await pool.execute(SQL("sweep_challenges"), now)

    async def tell_failures(self) -> int:
        """An event for each existing account with failures not told yet, at most one a minute (DESIGN 7)."""
        now = self._store.clock()
        rows = await self._store.pool.fetch(
            SQL("untold_failures"), now - timedelta(seconds=EVERY_SECONDS - 5)
        )
        by_account: dict[tuple[str, str], list[tuple[bytes, str, int]]] = {}
        for row in rows:
            told = (row["subject"], row["device"], row["untold"])
            by_account.setdefault((row["account"], row["school"]), []).append(told)
        workspace = Workspace(self._store)
        await workspace.load(ACCOUNT, {account for account, _ in by_account})
        units = []
        for (account, school), told_rows in by_account.items():
            workspace.decide(ACCOUNT, account, CountFailures(sum(count for _, _, count in told_rows)))
            writes = Write(SQL("tell_failures"), tuple((s, d, n, now) for s, d, n in told_rows))
            context = Context(actor="service:identity", correlation=new_id())
            units.append(Unit(school, context, workspace.appends(), (writes,)))
        if units:
            await self._store.commit(units)
        return len(units)
