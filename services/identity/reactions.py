"""The reader's side of the policies: what the others' events make us commit, one unit an event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.identity.consequences import consequences
from services.identity.departures import BACK, asks_something, commands_for, concerned, departure
from services.identity.domain.account import ACCOUNT, Account, account_id
from services.identity.domain.commands import Keep, Open, Refuse
from services.identity.initial_secrets import new_user_codes
from services.identity.issuing import Issuing, Order, current_sealing_key
from services.identity.policies import Admit, Case, Knowledge, SealingKey, access, issue, today_in_rome
from shared.contracts.event import Context, Event, Recorded, because_of
from shared.contracts.identity import AccountRole, CredentialsIssued, RefusalReason
from shared.contracts.notifications import CampaignResumed
from shared.contracts.registry import (
    CredentialPolicyAdopted,
    EnrolmentKind,
    GuardianLinked,
    GuardianshipCorrected,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    GuardiansMerged,
    StudentEnrolled,
)
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Unit, Write
from shared.ids import new_id
from shared.policies import policies_in_force
from shared.sql import Statements

SQL = Statements(__file__)
ACTOR = "service:identity"
LINKS = (
    GuardianLinked
    | GuardianshipCorrected
    | GuardianshipRestricted
    | GuardianshipRestrictionLifted
    | GuardianshipEnded
)


@dataclass(slots=True)
class _Draft:
    """A unit under work: its writes are known once the secrets have been drawn. `held`: a campaign of the school holds
    somebody back; whom, the issuer knows (E1)."""

    school: str
    context: Context
    appends: tuple[Append, ...] = ()
    orders: list[Order] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    held: bool = False


class Reactions:
    def __init__(
        self, store: EventStore, issuing: Issuing, changing: Callable[[], None] = lambda: None
    ) -> None:
        """`changing` is called before a commit that changes what sessions may do."""
        self._store = store
        self._changing = changing
        self._issuing = issuing

    async def react(self, events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
        """For `runtime.follow`: what the registry says."""
        if any(isinstance(recorded.event, CredentialPolicyAdopted) for recorded in events):
            self._changing()
        knowledge = await self._know(events)
        plan = [
            (recorded, cases)
            for recorded in events
            if (cases := knowledge.cases(recorded)) or commands_for(recorded.event) or departure(recorded)
        ]
        if not plan:
            return []
        now = self._store.clock()
        key = await current_sealing_key(self._store.pool, now)
        workspace = Workspace(self._store)
        await workspace.load(ACCOUNT, {case.account for _, cases in plan for case in cases})
        await workspace.load(ACCOUNT, concerned([recorded.event for recorded, _ in plan]))
        codes = await draw_user_codes(self._store, sum(len(cases) for _, cases in plan))
        rows = await self._store.pool.fetch(SQL("schools_holding"), [r.school for r, _ in plan])
        holding = {row["school"] for row in rows}
        drafts = []
        for recorded, cases in plan:
            context = because_of(recorded, actor=ACTOR)
            draft = _Draft(recorded.school, context, held=recorded.school in holding)
            for case in cases:
                self._settle(workspace, draft, case, key, codes)
            self._obey(workspace, draft, recorded)
            draft.appends = workspace.appends()
            drafts.append(draft)
        await self._draw(drafts)
        return [
            Unit(draft.school, draft.context, draft.appends, tuple(draft.writes))
            for draft in drafts
            if draft.appends or draft.writes
        ]

    async def heed_notifications(self, events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
        """For `runtime.follow`: a slip that was handed over needs no copy; one that came back may be replaced."""
        workspace = Workspace(self._store)
        await workspace.load(ACCOUNT, concerned([recorded.event for recorded in events]))
        units = []
        for recorded in events:
            draft = _Draft(recorded.school, because_of(recorded, actor=ACTOR))
            self._obey(workspace, draft, recorded)
            if isinstance(recorded.event, CampaignResumed):
                campaign, context = recorded.event.campaign, draft.context
                row = (campaign, context.actor, context.correlation, context.causation)
                units.append(Unit(draft.school, context, (), (Write(SQL("enqueue_spent"), (row,)),)))
            if appends := workspace.appends():
                units.append(Unit(draft.school, draft.context, appends, tuple(draft.writes)))
        return units

    def _obey(self, workspace: Workspace, draft: _Draft, recorded: Recorded[Event]) -> None:
        """What the event itself asks of accounts, whatever the policy."""
        if (leaving := departure(recorded)) is not None:
            row = (leaving.student, draft.school, leaving.leaves, recorded.correlation, recorded.id)
            draft.writes.append(Write(SQL("put_departure"), (row,)))
        for account, command in commands_for(recorded.event):
            state = workspace.state(ACCOUNT, account)
            if not asks_something(state, command):
                continue
            if isinstance(recorded.event, GuardiansMerged):
                self._succeed(workspace, draft, recorded.event, state)
            draft.writes += consequences(workspace.decide(ACCOUNT, account, command))

    def _succeed(self, workspace: Workspace, draft: _Draft, event: GuardiansMerged, merged: Account) -> None:
        """Of two accounts of one guardian the one with access is not always the one that stays (M1)."""
        now = self._store.clock()
        kept = workspace.state(ACCOUNT, account_id(AccountRole.guardian, event.guardian))
        if merged.live(now) and not kept.live(now):
            case = Case(event.guardian, AccountRole.guardian, draft.school, None, None)
            draft.writes.append(enqueued(case, draft.context))

    def _settle(
        self, workspace: Workspace, draft: _Draft, case: Case, key: SealingKey | None, codes: list[str]
    ) -> None:
        now = self._store.clock()
        account = workspace.state(ACCOUNT, case.account)
        if account.suspended is not None:
            workspace.decide(ACCOUNT, case.account, BACK)
            account = workspace.state(ACCOUNT, case.account)
        match access(account, case, now):
            case Keep() as command:
                workspace.decide(ACCOUNT, case.account, command)
            case Refuse() as command:
                workspace.decide(ACCOUNT, case.account, command)
                # Whoever had no account may wait all the same: because the desk ordered one.
                if command.reason is not RefusalReason.no_account:
                    draft.writes.append(Write(SQL("dequeue"), ((case.account,),)))
            case Admit() if account.suspended is None:
                opening = Open(case.account, case.holder, case.role, codes.pop())
                workspace.decide(ACCOUNT, case.account, opening)
                terms = None if draft.held else issue(case, new_id(), key, now)
                if terms is None or key is None:
                    draft.writes.append(enqueued(case, draft.context))
                    return
                for event in workspace.decide(ACCOUNT, case.account, terms):
                    if isinstance(event, CredentialsIssued):
                        draft.orders.append(Order(case.school, event, key))

    async def _draw(self, drafts: Sequence[_Draft]) -> None:
        drawn = iter(await self._issuing.draw([order for draft in drafts for order in draft.orders]))
        for draft in drafts:
            for _ in draft.orders:
                draft.writes.extend(next(drawn))

    async def _know(self, events: Sequence[Recorded[Event]]) -> Knowledge:
        """What our projections said before these events."""
        enrolled = {r.event.student for r in events if isinstance(r.event, StudentEnrolled)}
        links = [r.event for r in events if isinstance(r.event, LINKS)]
        pupils = enrolled | {link.student for link in links}
        now = self._store.clock()
        if not pupils:
            return Knowledge(today_in_rome(now))
        pool = self._store.pool
        policies = await policies_in_force(pool, {r.school for r in events}, now)
        knowledge = Knowledge(today_in_rome(now), policies)
        guardians = {link.guardian for link in links}
        known = await pool.fetch(SQL("guardianships"), list(pupils), list(guardians), knowledge.today)
        for row in known:
            knowledge.guardians.setdefault(row["student"], {})[row["guardian"]] = row["data_access"]
            link = row["guardian"], row["student"]
            if row["restricted"]:
                knowledge.restricted.add(link)
            if row["ended"]:
                knowledge.ended.add(link)
        for row in await pool.fetch(SQL("mailboxes"), list(enrolled)):
            knowledge.mailboxes.add(row["student"])
        for row in await pool.fetch(SQL("enrolments"), list(pupils | knowledge.guardians.keys())):
            knowledge.kinds[row["student"], row["year"]] = EnrolmentKind(row["kind"])
        return knowledge


async def draw_user_codes(store: EventStore, count: int) -> list[str]:
    """Codes that no account of this installation has."""
    found: list[str] = []
    while len(found) < count:
        drawn = new_user_codes(count - len(found))
        rows = await store.pool.fetch(SQL("taken_codes"), drawn)
        taken = {row["user_code"] for row in rows} | set(found)
        found.extend(code for code in drawn if code not in taken)
    return found


def enqueued(case: Case, context: Context) -> Write:
    """The holder waits; the causes of the waiting go with them, so that the history tells why."""
    assert case.role is not AccountRole.staff
    row = (
        case.account,
        case.school,
        case.holder,
        case.role.value,
        case.year,
        context.actor,
        context.correlation,
        context.causation,
        case.owed,
    )
    return Write(SQL("enqueue"), (row,))
