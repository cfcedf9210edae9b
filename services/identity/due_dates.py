"""What falls due on a day, Europe/Rome: who leaves is suspended (M5), local credentials end (M12)."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

import structlog

from services.identity.consequences import consequences
from services.identity.domain.account import ACCOUNT, account_id
from services.identity.domain.commands_life import Retire, Suspend
from services.identity.policies import today_in_rome
from shared.contracts.event import Context
from shared.contracts.identity import AccountRole, SuspensionReason
from shared.database import AdvisoryLock
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Committed, Outcome, Unit, Write
from shared.ids import new_id
from shared.messaging.streams import Doorbell
from shared.policies import policies_in_force
from shared.sql import Statements

SQL = Statements(__file__)
CHUNK = 200
POLL_SECONDS = 60.0
_BREATH = 0.5
_ACTOR = "service:identity"
log = structlog.get_logger()


class DueDates:
    """One active in an installation; woken by every commit (somebody leaves today), else by the clock."""

    def __init__(self, store: EventStore, lock: AdvisoryLock) -> None:
        self._store = store
        self._lock = lock
        self._bell = Doorbell()
        store.on_commit(self._bell.ring)

    async def run(self) -> None:
        """For `runtime.background`."""
        await self._lock.acquire()
        while self._lock.held():
            await self.once()
            looked = time.monotonic()
            while (left := looked + POLL_SECONDS - time.monotonic()) > 0:
                await self._bell.wait(left)
                await asyncio.sleep(_BREATH)
                await self.let_go()

    async def once(self) -> None:
        await self.let_go()
        await self.retire()

    async def let_go(self) -> int:
        """Suspend the pupils whose last day was reached, and the guardians of whom no child is enrolled any more;
        returns how many departures were settled."""
        today, settled = today_in_rome(self._store.clock()), 0
        while rows := await self._store.pool.fetch(SQL("due_departures"), today, CHUNK):
            leaving: dict[str, set[str]] = defaultdict(set)
            for found in await self._store.pool.fetch(
                SQL("leavers"), [row["student"] for row in rows], today
            ):
                leaving[found["student"]].add(account_id(AccountRole(found["role"]), found["holder"]))
            workspace = Workspace(self._store)
            await workspace.load(ACCOUNT, set().union(*leaving.values()))
            units = []
            for row in rows:
                context = Context(actor=_ACTOR, correlation=row["correlation"], causation=row["causation"])
                done = Write(SQL("settle_departure"), ((row["student"], today),))
                accounts = sorted(leaving[row["student"]])
                units.append(self._suspended(workspace, row["school"], context, accounts, done))
            settled += (won := _won(await self._store.commit(units)))
            if won < len(units):
                break
        if settled:
            log.info("departures.settled", count=settled)
        return settled

    def _suspended(
        self, workspace: Workspace, school: str, context: Context, accounts: Iterable[str], done: Write
    ) -> Unit:
        writes: list[Write] = []
        for account in accounts:
            state = workspace.state(ACCOUNT, account)
            if state.opened and state.revoked is None and not state.retired:
                command = Suspend(SuspensionReason.withdrawn)
                writes += consequences(workspace.decide(ACCOUNT, account, command))
        return Unit(school, context, workspace.appends(), (*writes, done))

    async def retire(self) -> int:
        """End the passwords of families and pupils where the school's day has come; returns how many."""
        now, pool, retired = self._store.clock(), self._store.pool, 0
        schools = [row["school"] for row in await pool.fetch(SQL("schools"))]
        for school, policy in (await policies_in_force(pool, schools, now)).items():
            until = policy.local_credentials_until
            if until is None or today_in_rome(now) < until:
                continue
            after = ""
            while rows := await pool.fetch(SQL("retirable"), school, after, CHUNK):
                after = rows[-1]["account"]
                retired += await self._retire(school, [row["account"] for row in rows])
        return retired

    async def _retire(self, school: str, accounts: Sequence[str]) -> int:
        workspace = Workspace(self._store)
        await workspace.load(ACCOUNT, accounts)
        units = []
        for account in accounts:
            writes = consequences(workspace.decide(ACCOUNT, account, Retire()))
            if appends := workspace.appends():
                context = Context(actor=_ACTOR, correlation=new_id())
                units.append(Unit(school, context, appends, tuple(writes)))
        return _won(await self._store.commit(units)) if units else 0


def _won(outcomes: Sequence[Outcome]) -> int:
    return sum(isinstance(outcome, Committed) for outcome in outcomes)
