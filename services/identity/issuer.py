"""The worker that issues what had to wait, as soon as it can: in chunks, each one commit (E1, E8, DESIGN 5)."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from services.identity.domain.account import ACCOUNT
from services.identity.domain.commands import Issue, Open, Refuse
from services.identity.issuing import Issuing, Order, current_sealing_key
from services.identity.policies import (
    Case,
    SealingKey,
    campaign_open,
    forbidden,
    issue,
    policy_role,
    today_in_rome,
    waits_for_mailboxes,
)
from services.identity.reactions import draw_user_codes
from shared.contracts.event import Context
from shared.contracts.identity import AccountRole, CredentialsIssued
from shared.contracts.policy import CredentialPolicy
from shared.database import AdvisoryLock
from shared.decider import Refused
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Committed, Unit, Write
from shared.ids import new_id
from shared.messaging.streams import Doorbell
from shared.policies import policies_in_force
from shared.sql import Statements

SQL = Statements(__file__)
CHUNK = 150
POLL_SECONDS = 10.0
_BREATH = 0.2
_REST = 4.0
"""So many times as long as it took to look in vain, before the next look."""
log = structlog.get_logger()


@dataclass(slots=True)
class _Ready:
    case: Case
    context: Context
    command: Issue | Refuse
    appends: tuple[Append, ...] = ()
    order: Order | None = None


class Issuer:
    """One active in an installation; woken by every commit (a policy, a key, somebody who waits), else by the
    clock (a campaign's date, a policy's)."""

    def __init__(self, store: EventStore, issuing: Issuing, lock: AdvisoryLock) -> None:
        self._store = store
        self._issuing = issuing
        self._lock = lock
        self._bell = Doorbell()
        store.on_commit(self._bell.ring)

    def wake(self) -> None:
        self._bell.ring()

    async def run(self) -> None:
        """For `runtime.background`."""
        await self._lock.acquire()
        while self._lock.held():
            began = time.monotonic()
            if not await self.issue_ready():
                looked = time.monotonic() - began
                await self._bell.wait(POLL_SECONDS)
                # Most commits are no news for who waits: once in a while is enough, the more of them there are (a whole
                # school that a campaign holds back for weeks), the less often.
                await asyncio.sleep(min(max(_BREATH, _REST * looked), POLL_SECONDS))

    async def issue_ready(self) -> int:
        """Issue for everyone whose channel is open now; returns for how many something was settled."""
        groups = await self._store.pool.fetch(SQL("waiting_groups"))
        if not groups:
            return 0
        now = self._store.clock()
        policies = await policies_in_force(self._store.pool, {group["school"] for group in groups}, now)
        key = await current_sealing_key(self._store.pool, now)
        settled = 0
        for group in groups:
            policy, role = policies.get(group["school"]), AccountRole(group["role"])
            if policy is not None:
                settled += await self._issue_group(group["school"], role, policy, key)
        return settled

    async def _issue_group(
        self, school: str, role: AccountRole, policy: CredentialPolicy, key: SealingKey | None
    ) -> int:
        settled, after, now = 0, "", self._store.clock()
        which = (campaign_open(policy, now), not waits_for_mailboxes(role, policy), today_in_rome(now))
        while rows := await self._store.pool.fetch(SQL("waiting"), school, role.value, after, CHUNK, *which):
            after = rows[-1]["account"]
            settled += await self._issue_chunk(school, policy, key, rows)
        return settled

    async def _issue_chunk(
        self, school: str, policy: CredentialPolicy, key: SealingKey | None, rows: Sequence[asyncpg.Record]
    ) -> int:
        found = [one for row in rows if (one := self._look(school, policy, key, row)) is not None]
        if not found:
            return 0
        workspace = Workspace(self._store)
        await workspace.load(ACCOUNT, {one.case.account for one in found})
        found = await self._still_waiting(found)
        codes = await draw_user_codes(self._store, len(found))
        ready = [self._settle(workspace, one, key, codes.pop()) for one in found]
        drawn = iter(await self._issuing.draw([one.order for one in ready if one.order is not None]))
        units = [Unit(school, one.context, one.appends, _writes(one, drawn)) for one in ready]
        outcomes = await self._store.commit(units)
        won = sum(isinstance(outcome, Committed) for outcome in outcomes)
        log.info("credentials.issued", school=school, count=won, of=len(units))
        return won

    async def _still_waiting(self, found: Sequence[_Ready]) -> list[_Ready]:
        """Asked after the histories were loaded: who was revoked in between is struck off, and would be issued anew;
        who is revoked later is in conflict with our commit."""
        rows = await self._store.pool.fetch(SQL("still_waiting"), [one.case.account for one in found])
        waiting = {row["account"] for row in rows}
        return [one for one in found if one.case.account in waiting]

    def _look(
        self, school: str, policy: CredentialPolicy, key: SealingKey | None, row: asyncpg.Record
    ) -> _Ready | None:
        """What can be done for one who waits; None when there is still something to wait for, or nothing to do
        but to strike off who has left."""
        if row["has_left"]:
            return None
        case = Case(
            row["holder"],
            AccountRole(row["role"]),
            school,
            row["year"],
            policy,
            row["birth_date"],
            data_access=not row["barred"],
            mailbox=row["mailbox"],
            owed=row["owed"],
        )
        context = Context(actor=row["actor"], correlation=row["correlation"], causation=row["causation"])
        now = self._store.clock()
        command: Issue | Refuse | None
        if (reason := forbidden(case, now)) is not None:
            command = Refuse(case.account, case.holder, case.year or "", reason)
        elif not case.owed and policy_role(case, now).value in json.loads(row["held_roles"]):
            return None
        else:
            command = issue(case, new_id(), key, now)
        return _Ready(case, context, command) if command is not None else None

    def _settle(self, workspace: Workspace, one: _Ready, key: SealingKey | None, code: str) -> _Ready:
        case = one.case
        if isinstance(one.command, Issue):
            workspace.decide(ACCOUNT, case.account, Open(case.account, case.holder, case.role, code))
        try:
            events = workspace.decide(ACCOUNT, case.account, one.command)
        except Refused as refused:
            # Whoever got credentials in the meantime waits no longer.
            log.info("credentials.not_needed", account=case.account, reason=refused.reason)
            events = ()
        issued = [event for event in events if isinstance(event, CredentialsIssued)]
        if issued and key is not None:
            one.order = Order(case.school, issued[0], key)
        one.appends = workspace.appends()
        return one


def _writes(ready: _Ready, drawn: Iterator[tuple[Write, ...]]) -> tuple[Write, ...]:
    if ready.order is not None:
        return next(drawn)
    return (Write(SQL("dequeue"), ((ready.case.account,),)),)
