"""What the desk, or a holder, does with a credential: loss, regeneration, separation, suspension, revocation (E6, P9, M5).

Every operation is of one account of one school: of another's it says `no_account`, as of one that does not exist.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.identity.consequences import consequences
from services.identity.desk import is_id
from services.identity.domain.account import ACCOUNT, Account
from services.identity.domain.account import Command as AnyCommand
from services.identity.domain.commands_life import (
    DenyRegeneration,
    GrantRegeneration,
    Reinstate,
    ReportLoss,
    RequestRegeneration,
    Revoke,
    Suspend,
    Unlock,
)
from services.identity.issuing import Issuing, Order, current_sealing_key
from services.identity.policies import Case, SealingKey, forbidden, issue, policy_role
from services.identity.reactions import enqueued
from shared.contracts.event import Context, Event
from shared.contracts.identity import (
    AccountRole,
    CredentialsIssued,
    ReportedBy,
    RevocationReason,
    SuspensionReason,
)
from shared.contracts.policy import CredentialPolicy, Regeneration
from shared.contracts.registry import IdentityCheck
from shared.decider import Refused
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import (
    ConcurrencyConflict,
    IdempotencyKey,
    IdempotencyKeyReused,
    KeyReused,
    Question,
    Unit,
    Write,
)
from shared.ids import new_id
from shared.policies import policy_in_force
from shared.sql import Statements

SQL = Statements(__file__)
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, at which school. `key`: by which a repeat is recognised; it gets the first answer."""

    school: str
    actor: str
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is. `policy` is the one in force now; None while the school has none."""

    account: str
    holder: str
    role: AccountRole
    school: str
    year: str | None
    birth_date: Any
    mailbox: bool
    enrolled: bool
    policy: CredentialPolicy | None

    def case(self, *, year: bool = True) -> Case:
        """Their claim to credentials, which no campaign holds back."""
        return Case(
            self.holder,
            self.role,
            self.school,
            self.year if year else None,
            self.policy,
            self.birth_date,
            mailbox=self.mailbox,
            owed=True,
        )


Done = Mapping[str, Any]


class CredentialLife:
    def __init__(self, commands: Commands, issuing: Issuing) -> None:
        self._commands = commands
        self._store = commands.store
        self._issuing = issuing

    async def report_loss(self, account: str, by: ReportedBy, acting: Acting, *, block: bool) -> None:
        """Lost, or seen by others. `block`: nobody gets in from now on, sessions end at once."""
        if by is ReportedBy.desk:
            await self._must_be_of_a_family(account, acting.school)
        await self._do(account, acting, lambda _: [ReportLoss(by, block)])

    async def request_regeneration(
        self,
        account: str,
        by: ReportedBy,
        motivation: str,
        acting: Acting,
        *,
        identity_check: IdentityCheck | None = None,
    ) -> str:
        """The id of the new request. Refused: `nothing_to_regenerate`, `request_open`, `suspended`, `staff`."""
        request = new_id()
        command = RequestRegeneration(request, by, identity_check, motivation, self._store.clock())
        done = await self._do(account, acting, lambda _: [command], {"request": request})
        return str(done["request"])

    async def regenerate(
        self, account: str, motivation: str, identity_check: IdentityCheck, acting: Acting
    ) -> Done:
        """Ask and grant in one, where the policy leaves it to the desk; else refused: `exceptional`."""
        holder = await self.holder(account, acting.school)
        if _regeneration(holder, self._store.clock()) is not Regeneration.desk:
            raise Refused("exceptional", "by the school's policy a request is decided apart, with a reason")
        request = new_id()
        asked = RequestRegeneration(request, ReportedBy.desk, identity_check, motivation, self._store.clock())
        return await self._grant(holder, request, identity_check, motivation, acting, first=[asked])

    async def grant(self, request: str, identity_check: IdentityCheck, reason: str, acting: Acting) -> Done:
        """Everything of the old generation dies now; the new one is issued now, or when its channel opens.

        `{"request": …, "account": …, "issued": <bool>}`. Refused: `unknown_request`, `decided`, and what `issue` refuses.
        """
        holder = await self.holder(await self._account_of(request, acting.school), acting.school)
        return await self._grant(holder, request, identity_check, reason, acting)

    async def deny(self, request: str, reason: str, acting: Acting) -> Done:
        """`{"request": …, "account": …}`. Refused: `unknown_request`, `decided`."""
        account = await self._account_of(request, acting.school)
        result = {"request": request, "account": account}
        return await self._do(account, acting, lambda _: [DenyRegeneration(request, reason)], result)

    async def suspend(self, account: str, because: SuspensionReason, note: str, acting: Acting) -> None:
        _not_oneself(account, acting)
        await self._must_be_of_a_family(account, acting.school)
        await self._do(account, acting, lambda _: [Suspend(because, note)])

    async def reinstate(self, account: str, note: str, identity_check: IdentityCheck, acting: Acting) -> None:
        """The old password serves again, where it was not ended. What was being waited for is waited for again."""
        holder = await self._must_be_of_a_family(account, acting.school)

        def waits(state: Account, context: Context) -> Sequence[Write]:
            begun = state.credential is None and state.role is not AccountRole.staff and not state.closed
            # What was regenerated is owed; who never had credentials waits for the campaign as the others do (E1).
            case = replace(holder.case(year=False), owed=state.generations > 0)
            return [enqueued(case, context)] if begun else []

        await self._do(account, acting, lambda _: [Reinstate(note, identity_check)], also=waits)

    async def revoke(self, account: str, because: RevocationReason, note: str, acting: Acting) -> None:
        _not_oneself(account, acting)
        await self._must_be_of_a_family(account, acting.school)
        await self._do(account, acting, lambda _: [Revoke(because, note)])

    async def unlock(self, account: str, identity_check: IdentityCheck, acting: Acting) -> None:
        """Guesses are forgotten; unknown devices are looked at again."""
        await self._must_be_of_a_family(account, acting.school)

        def forget(_: Account, __: Context) -> Sequence[Write]:
            return [Write(SQL("forget_failures_of_account"), ((account,),))]

        await self._do(account, acting, lambda _: [Unlock(identity_check)], also=forget)

    async def holder(self, account: str, school: str) -> Holder:
        """Raises `Refused("no_account")`."""
        row = await self._store.pool.fetchrow(SQL("holder"), account, school) if is_id(account) else None
        if row is None:
            raise Refused("no_account", "this school has no such account")
        policy = await policy_in_force(self._store.pool, school, self._store.clock())
        return Holder(
            account=account,
            holder=row["holder"],
            role=AccountRole(row["role"]),
            school=school,
            year=row["year"],
            birth_date=row["birth_date"],
            mailbox=row["mailbox"],
            enrolled=row["enrolled"],
            policy=policy,
        )

    async def _must_be_of_a_family(self, account: str, school: str) -> Holder:
        """The desk leaves colleagues' accounts alone: their administrator has them in hand (`operations_staff.py`)."""
        holder = await self.holder(account, school)
        if holder.role is AccountRole.staff:
            raise Refused("no_account", "this is a colleague's account: an administrator's affair")
        return holder

    async def carry_out(
        self,
        holder: Holder,
        acting: Acting,
        commands: Callable[[Account], Sequence[AnyCommand]],
        result: Done,
        *,
        sealing_key: SealingKey | None = None,
        also: Callable[[Account, Context], Sequence[Write]] = lambda _, __: (),
    ) -> Done:
        """Decide, draw what is to be issued (sealed to `sealing_key`), commit; again when somebody else was first."""
        context = Context(actor=acting.actor, correlation=new_id())
        conflict: ConcurrencyConflict | None = None
        for _ in range(_TRIES):
            if (before := await self._answered(holder.account, acting.key)) is not None:
                return before
            workspace = Workspace(self._store)
            await workspace.load(ACCOUNT, {holder.account})
            events: list[Event] = []
            for command in commands(workspace.state(ACCOUNT, holder.account)):
                events += workspace.decide(ACCOUNT, holder.account, command)
            writes = [*consequences(events), *await self._drawn(holder.school, events, sealing_key)]
            writes += also(workspace.state(ACCOUNT, holder.account), context)
            unit = Unit(holder.school, context, workspace.appends(), tuple(writes), acting.key, result)
            if not unit.appends and not unit.writes and acting.key is None:
                return result
            try:
                return (await self._commands.submit(unit)).result
            except ConcurrencyConflict as lost:
                conflict = lost
        assert conflict is not None
        raise conflict

    async def _do(
        self,
        account: str,
        acting: Acting,
        commands: Callable[[Account], Sequence[AnyCommand]],
        result: Done | None = None,
        also: Callable[[Account, Context], Sequence[Write]] = lambda _, __: (),
    ) -> Done:
        holder = await self.holder(account, acting.school)
        return await self.carry_out(holder, acting, commands, result or {}, also=also)

    async def _grant(
        self,
        holder: Holder,
        request: str,
        identity_check: IdentityCheck,
        reason: str,
        acting: Acting,
        first: Sequence[AnyCommand] = (),
    ) -> Done:
        now = self._store.clock()
        may_have(holder.case(), now)
        key = await current_sealing_key(self._store.pool, now)
        exceptional = _regeneration(holder, now) is Regeneration.exceptional
        terms = issue(holder.case(), new_id(), key, now)
        granting = GrantRegeneration(request, exceptional, identity_check, reason, terms)

        def waits(_: Account, context: Context) -> Sequence[Write]:
            return [enqueued(holder.case(year=False), context)] if terms is None else []

        result = {"request": request, "account": holder.account, "issued": terms is not None}
        return await self.carry_out(
            holder, acting, lambda _: [*first, granting], result, sealing_key=key, also=waits
        )

    async def _drawn(self, school: str, events: Sequence[Event], key: SealingKey | None) -> Sequence[Write]:
        issued = [event for event in events if isinstance(event, CredentialsIssued)]
        if not issued or key is None:
            return ()
        drawn = await self._issuing.draw([Order(school, event, key) for event in issued])
        return [write for writes in drawn for write in writes]

    async def _answered(self, account: str, key: IdempotencyKey | None) -> Done | None:
        """What this key was answered. Raises `IdempotencyKeyReused`."""
        if key is None:
            return None
        (recalled,) = await self._store.recall([Question(ACCOUNT.stream(account), key)])
        if isinstance(recalled.answered, KeyReused):
            raise IdempotencyKeyReused(key.key)
        return recalled.answered.result if recalled.answered is not None else None

    async def _account_of(self, request: str, school: str) -> str:
        account: str | None = None
        if is_id(request):
            account = await self._store.pool.fetchval(SQL("account_of_request"), request, school)
        if account is None:
            raise Refused("unknown_request", "this school has no such request")
        return account


def may_have(case: Case, now: datetime) -> None:
    """Raises `Refused` where the school's policy gives such a holder no credentials (M12)."""
    if (reason := forbidden(case, now)) is not None:
        raise Refused(reason.value, "the school's policy gives such holders no credentials")


def _regeneration(holder: Holder, now: datetime) -> Regeneration:
    """By the policy of the holder's role; without a policy nobody regenerates lightly."""
    if holder.policy is None:
        return Regeneration.exceptional
    return holder.policy.of(policy_role(holder.case(), now)).regeneration


def _not_oneself(account: str, acting: Acting) -> None:
    if account == acting.actor:
        raise Refused("own_account", "nobody closes their own account: a colleague does")
